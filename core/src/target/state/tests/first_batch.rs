//! How near the time until all pods have their identities comes to what Azure's rules allow, when pods come over
//! some seconds. All times are simulated.

use super::*;

/// What a read takes.
const READ: Duration = Duration::from_millis(100);

/// A target on which every change takes the same time.
struct SlowTarget {
    bench: Bench,
    latency: Duration,
    /// When the call that is under way ends.
    call: Option<(Moment, TargetAction)>,
}

impl SlowTarget {
    /// A target that was changed once before if it is `hot`, so that its price is known.
    fn new(kind: &str, latency: Duration, hot: bool) -> Self {
        let mut target = Self {
            bench: Bench::on(kind, &[], &[]),
            latency,
            call: None,
        };
        if hot {
            target.run(vec![(Duration::ZERO, "first".to_owned())]);
            target.bench.patches.clear();
        }
        target
    }

    /// Has these identities come, each after its time, and goes on until all are on the target; returns how long
    /// that took.
    fn run(&mut self, arrivals: Vec<(Duration, String)>) -> Duration {
        let began = self.bench.now;
        let mut coming = arrivals.into_iter().peekable();
        loop {
            let arrival = coming.peek().map(|(after, _)| began + *after);
            let call = self.call.as_ref().map(|(ends, _)| *ends);
            let wake = self.bench.wake.filter(|_| call.is_none());
            let next = [arrival, call, wake].into_iter().flatten().min();
            self.bench.now = self.bench.now.max(next.expect("something is to come"));
            let event = match coming.next_if(|_| arrival == next) {
                Some((_, name)) => self.desire(&name),
                None => match self.call.take() {
                    Some((_, call)) => self.bench.perform(call),
                    None => TargetEvent::Woke,
                },
            };
            self.step(event);
            let desired = &self.bench.desired.desired;
            if coming.peek().is_none() && desired.is_subset(&self.bench.on_target()) {
                return self.bench.now.saturating_duration_since(began);
            }
        }
    }

    fn desire(&mut self, name: &str) -> TargetEvent {
        let bench = &mut self.bench;
        bench.desired.desired.insert(id(name));
        bench.generation += 1;
        TargetEvent::Desired(bench.generation, bench.desired.clone())
    }

    fn step(&mut self, event: TargetEvent) {
        for action in self.bench.state.step(event, self.bench.now) {
            match action {
                TargetAction::WakeAt(time) => self.bench.wake = Some(time),
                TargetAction::Rest => self.bench.wake = None,
                TargetAction::Report(_) | TargetAction::Log(_) => {}
                call => {
                    let is_change = matches!(call, TargetAction::Patch(_));
                    let takes = if is_change { self.latency } else { READ };
                    self.call = Some((self.bench.now + takes, call));
                }
            }
        }
    }

    /// The changes that are made for `count` identities that come over `spread`, `together` at a time, and the
    /// time ÷ the bound: the last to come needs a change after it, and each change carries [`MAX_CHANGES`]. On a VM
    /// changes are so cheap that the shortest window and the other calls count: there they are part of the bound.
    fn measure(mut self, count: u32, together: u32, spread: Duration) -> (usize, f64) {
        let arrivals = (0..count).map(|number| {
            let number_of_first = number / together * together;
            (spread * number_of_first / count, format!("i{number}"))
        });
        let took = self.run(arrivals.collect());
        let full = u32::try_from(MAX_CHANGES).expect("a small number");
        let mut bound = (spread + self.latency).max(self.latency * count.div_ceil(full));
        if self.latency < Duration::from_secs(10) {
            bound += WINDOW + 2 * READ;
        }
        (
            self.bench.patches.len(),
            took.as_secs_f64() / bound.as_secs_f64(),
        )
    }
}

/// Each of these numbers of identities, how many of them come at once, over how many seconds, and whether the
/// target's price is known.
fn cases(counts: &[u32]) -> impl Iterator<Item = (u32, u32, u64, bool)> {
    let spread_out = counts.iter().flat_map(|count| {
        let spreads = [0, 2, 5, 15].into_iter();
        spreads.flat_map(move |spread| [true, false].map(|hot| (*count, 1, spread, hot)))
    });
    // Ten that come over 15 s are too far apart to tell that more come, while the price is unknown.
    let told = spread_out.filter(|(count, _, _, hot)| *hot || *count != 10);
    // Neither 13 nor 39 divides what fits into a change, so that more than fit are there when it begins.
    let many = counts.iter().filter(|count| **count >= 200);
    let in_heaps = many
        .flat_map(|count| [(13, 5), (39, 2)].map(|(together, spread)| (*count, together, spread)));
    let in_heaps = in_heaps.flat_map(|(count, together, spread)| {
        [true, false].map(|hot| (count, together, spread, hot))
    });
    told.chain(in_heaps)
}

#[test]
fn all_have_their_identities_within_115_hundredths_of_the_bound() {
    let mut table = String::from("kind latency state count spread: changes, time ÷ bound");
    let mut worst: f64 = 0.0;
    for (kind, latency, counts) in [
        ("virtualMachines", 2, &[1, 10, 40][..]),
        ("virtualMachineScaleSets", 10, &[40, 200]),
        ("virtualMachineScaleSets", 40, &[10, 40, 200, 400]),
    ] {
        for (count, together, spread, hot) in cases(counts) {
            let target = SlowTarget::new(kind, Duration::from_secs(latency), hot);
            let (changes, ratio) = target.measure(count, together, Duration::from_secs(spread));
            table += &format!(
                "\n{kind} {latency} s hot={hot} {count} by {together}, {spread} s: {changes}, {ratio:.3}"
            );
            worst = worst.max(ratio);
        }
    }

    assert!(worst <= 1.15, "{table}");
}

#[test]
fn what_comes_within_some_seconds_goes_out_together() {
    for spread in [0, 2, 5, 15] {
        let target = SlowTarget::new("virtualMachineScaleSets", Duration::from_secs(40), true);
        let (changes, _) = target.measure(40, 1, Duration::from_secs(spread));
        assert_eq!(changes, 1, "{spread} s");
    }
}
