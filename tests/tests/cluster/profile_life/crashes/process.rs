//! An operator that ends as by SIGKILL right after writes of our choice, and is started again each time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use clap::Parser;
use podid_lab::Lab;
use podid_operator::app;
use podid_operator::args::Args;
use podid_operator::gate::{
    CallKind, CallRefused, CallSubject, GateDecision, GateRefusal, OutgoingCall,
};
use podid_runtime::Drain;
use tokio::sync::Notify;

/// The operator's process, which is a thread here, so that its calls can be counted.
pub(super) struct Process {
    thread: Option<JoinHandle<()>>,
    end: Arc<Notify>,
    kills: Arc<AtomicUsize>,
}

/// Writes that have left since the process was started.
struct Writes {
    count: AtomicUsize,
    /// The last that leaves.
    last: usize,
    reached: Notify,
}

impl Writes {
    /// The last write has its effect, and its answer reaches nobody. Nothing leaves after it.
    fn decide(&self, call: &OutgoingCall) -> GateDecision {
        if self.count.load(Ordering::SeqCst) >= self.last {
            let what = call.to_string();
            return GateDecision::Refuse(GateRefusal {
                reason: CallRefused::NotLeading { what }.into(),
                retry_after: None,
                next_step: "wait until it runs again".to_owned(),
            });
        }
        if !counts(call) || self.count.fetch_add(1, Ordering::SeqCst) + 1 < self.last {
            return GateDecision::Send;
        }
        self.reached.notify_one();
        GateDecision::LoseAnswer
    }
}

/// Events are written beside the work, and their number differs from run to run.
fn counts(call: &OutgoingCall) -> bool {
    let is_event =
        matches!(&call.subject, CallSubject::Cluster { path } if path.contains("/events"));
    call.kind == CallKind::Write && !is_event
}

impl Process {
    /// Starts one that ends after as many writes as `lasts` says first, is then started again, as a kubelet does, and so
    /// on; after the last of them it goes on without end.
    pub(super) fn start(lab: &Lab, lasts: impl IntoIterator<Item = usize>) -> Self {
        let (end, kills) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let (ends, killed) = (Arc::clone(&end), Arc::clone(&kills));
        let (flags, lasts) = (flags(lab), lasts.into_iter().chain([usize::MAX]));
        let lasts: Vec<usize> = lasts.collect();
        let thread = thread::spawn(move || {
            let was_killed = |last: &usize| run(&flags, *last, &ends);
            for _ in lasts.iter().take_while(|last| was_killed(last)) {
                killed.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self {
            thread: Some(thread),
            end,
            kills,
        }
    }

    /// Ends it for good; how often it was killed.
    pub(super) async fn end(mut self) -> usize {
        self.end.notify_one();
        let thread = self.thread.take().expect("it runs");
        tokio::task::spawn_blocking(|| thread.join().expect("it ended well"))
            .await
            .expect("waited for");
        self.kills.load(Ordering::SeqCst)
    }
}

/// Runs until the last write has left, or the end; whether it was the write. Nothing is tidied up.
fn run(flags: &[String], last: usize, end: &Notify) -> bool {
    let writes = Arc::new(Writes {
        count: AtomicUsize::new(0),
        last,
        reached: Notify::new(),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let was_killed = runtime.block_on(async {
        let args = Args::try_parse_from(flags).expect("flags");
        let hook = Arc::clone(&writes);
        let hook = Arc::new(move |call: &OutgoingCall| hook.decide(call));
        let running = app::start(args, Drain::new(), Some(hook)).await;
        let running = running.expect("the operator starts");
        tokio::select! {
            ended = running.finish() => panic!("it ended by itself: {ended:?}"),
            () = writes.reached.notified() => true,
            () = end.notified() => false,
        }
    });
    runtime.shutdown_background();
    was_killed
}

/// Flags of a replica that leads again at once, since it has the name of the one before it.
fn flags(lab: &Lab) -> Vec<String> {
    let own = [
        "podid-operator",
        "--admin-addr=127.0.0.1:0",
        "--replica=podid-operator-0",
        "--target-interval=3s",
    ];
    let of_lab = podid_tests::operator::flags(lab).expect("flags");
    own.map(str::to_owned).into_iter().chain(of_lab).collect()
}
