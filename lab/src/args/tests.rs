use super::*;

#[test]
fn the_command_line_is_consistent() {
    Args::command().debug_assert();
}

#[test]
fn the_usage_of_service_start_has_the_order_in_which_it_is_read() {
    let mut command = with_usage(Args::command(), "podid-lab");
    let start = command
        .find_subcommand_mut("service")
        .and_then(|service| service.find_subcommand_mut("start"))
        .unwrap();
    let usage = start.render_usage().to_string();
    assert!(usage.contains("start [OPTIONS] <SERVICE> <POD|"), "{usage}");
    let line = "podid-lab service start web -n team web-0 -- true";
    let args = Args::try_parse_from(line.split(' ')).unwrap();
    let Command::Service(ServiceCommand::Start {
        service, target, ..
    }) = args.command
    else {
        panic!("service start")
    };
    assert_eq!(
        (service.as_str(), target.target()),
        ("web", Target::pod("team", "web-0"))
    );
}

#[test]
fn targets_are_read_as_documented() {
    let target = |line: &str| {
        let args = Args::try_parse_from(line.split(' ')).unwrap();
        let Command::Exec(exec) = args.command else {
            panic!("exec")
        };
        exec.target.target()
    };
    assert_eq!(
        target("podid-lab exec -n team web-0 -- true"),
        Target::pod("team", "web-0")
    );
    assert_eq!(
        target("podid-lab exec web-0 -- true"),
        Target::pod("default", "web-0")
    );
    assert_eq!(
        target("podid-lab exec --node node-1 -- true"),
        Target::node("node-1")
    );
    assert_eq!(
        target("podid-lab exec --control-plane -- true"),
        Target::ControlPlane
    );
    for wrong in [
        "exec -- true",
        "exec pod",
        "exec pod --node n -- true",
        "up --speed 0",
    ] {
        let line = format!("podid-lab {wrong}");
        assert!(
            Args::try_parse_from(line.split(' ')).is_err(),
            "{wrong} was accepted"
        );
    }
}
