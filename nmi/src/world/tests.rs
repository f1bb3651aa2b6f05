use std::time::Duration;

use kube::runtime::watcher::Event;

use super::*;

fn assignment(pod_uid: &str, state: TokenAssignmentState) -> TokenAssignment {
    TokenAssignment {
        pod_uid: pod_uid.into(),
        namespace: "ns".into(),
        identity: "i".into(),
        resource_id: None,
        state,
    }
}

fn apply(world: &mut World, row: Option<TokenAssignment>, now: Instant) {
    let update = Event::Apply((Key::new("ns", "assignment"), row));
    world.apply(Change::Assignment(update), now);
}

fn since(world: &World) -> Option<Instant> {
    let dated = world.assigned.get(&Key::new("ns", "assignment"));
    dated.map(|(_, since)| *since)
}

#[test]
fn an_assignment_is_dated_when_it_is_first_seen_to_be_done() {
    let mut world = World::default();
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let made = |uid| Some(assignment(uid, TokenAssignmentState::Assigned));
    let on_its_way = Some(assignment("u", TokenAssignmentState::Created));

    apply(&mut world, on_its_way.clone(), at(0));
    assert_eq!(since(&world), None);
    apply(&mut world, made("u"), at(10));
    apply(&mut world, made("u"), at(20));
    assert_eq!(since(&world), Some(at(10)));

    apply(&mut world, on_its_way, at(30));
    assert_eq!(since(&world), None);
    apply(&mut world, made("u"), at(40));
    assert_eq!(since(&world), Some(at(40)), "it was put there again");
    apply(&mut world, made("another pod"), at(50));
    assert_eq!(since(&world), Some(at(50)));
    apply(&mut world, None, at(60));
    assert!(world.assigned.is_empty());
}
