//! Programs under the lab's own supervision.

use std::fs;
use std::time::{Duration, Instant};

use podid_lab::control::{ProgramState, ProgramStatus};
use podid_lab::{Service, Target};

use super::{lab, node};

fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited 20 s for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn program(name: &str) -> Option<ProgramStatus> {
    let status = lab().status().unwrap();
    status
        .programs
        .into_iter()
        .find(|program| program.name == name)
}

fn running_as(name: &str) -> Option<u32> {
    match program(name)?.state {
        ProgramState::Running { pid } => Some(pid),
        _ => None,
    }
}

#[test]
fn a_killed_service_comes_back() {
    let script = "echo $GREETING from $(hostname); exec sleep 1000";
    let service = Service::new("sleeper", node(), ["sh", "-c", script])
        .env("GREETING", "hello")
        .restarting();
    lab().spawn_service(service.clone()).unwrap();
    let refused = lab().spawn_service(service).unwrap_err().to_string();
    assert!(
        refused.contains("sleeper is in the lab already"),
        "{refused}"
    );

    let greetings = |times: usize| {
        eventually("a greeting in the log", || {
            let log = fs::read_to_string(lab().log("sleeper")).unwrap();
            (log.matches("hello from node-0\n").count() == times).then_some(())
        });
    };
    greetings(1);
    let first = running_as("sleeper").unwrap();
    lab().kill_service("sleeper", 9).unwrap();
    let second = eventually("the service to come back", || {
        running_as("sleeper").filter(|pid| *pid != first)
    });
    assert_ne!(first, second);
    assert_eq!(program("sleeper").unwrap().restarts, 1);
    greetings(2);

    lab().stop_service("sleeper").unwrap();
    assert_eq!(program("sleeper"), None);
    let gone = lab().kill_service("sleeper", 9).unwrap_err().to_string();
    assert!(gone.contains("no program called sleeper"), "{gone}");
}

#[test]
fn a_service_that_ends_says_how() {
    lab()
        .spawn_service(Service::new(
            "short",
            Target::ControlPlane,
            ["sh", "-c", "exit 3"],
        ))
        .unwrap();
    let how = eventually("the service to end", || match program("short")?.state {
        ProgramState::Ended { how } => Some(how),
        _ => None,
    });
    assert_eq!(how, "exit code 3");
    let nowhere = Service::new("lost", Target::node("node-9"), ["true"]);
    let refused = lab().spawn_service(nowhere).unwrap_err().to_string();
    assert!(
        refused.contains("node node-9 is not running in this lab"),
        "{refused}"
    );
}

#[test]
fn the_control_plane_survives_the_death_of_its_programs() {
    let before = eventually("the scheduler to run", || running_as("kube-scheduler"));
    lab().kill_service("kube-scheduler", 9).unwrap();
    eventually("the scheduler to come back", || {
        running_as("kube-scheduler").filter(|pid| *pid != before)
    });
}
