//! What each command does.

mod own;
mod status;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use podid_lab::layout::{OPERATOR_CLIENT_ID, SUBSCRIPTION};
use podid_lab::state::StateDir;
use podid_lab::tools::{self, ToolGroup};
use podid_lab::{Lab, LabError, Lifetime, NodeKind, Service, UpOptions};
use podid_lab::{exec, hint};

use crate::args::{Command, ExecArgs, InstallArgs, LogsArgs, ServiceCommand, UpArgs};
use crate::ui::{self, Steps, remark, say};

/// Exit code of `exec` when the program was not started, as `env` and `nohup`
/// have it.
const NOT_STARTED: u8 = 125;

pub(crate) fn run(command: Command) -> Result<ExitCode> {
    // The labs of root are in a directory that others cannot even list.
    if !matches!(command, Command::Tools { .. }) && !nix::unistd::geteuid().is_root() {
        ui::complain(&LabError::NotRoot.into());
        return Ok(match command {
            Command::Exec(_) => ExitCode::from(NOT_STARTED),
            _ => ExitCode::FAILURE,
        });
    }
    match command {
        Command::Up(args) => up(args),
        Command::Down(lab) => down(&lab.name),
        Command::Status(args) => status::run(&args),
        Command::Env(lab) => env(&lab.name),
        Command::Exec(args) => Ok(run_program(&args)),
        Command::Service(command) => service(command),
        Command::Logs(args) => logs(&args),
        Command::Install(args) => install(&args),
        Command::Tools { groups } => print_tools(groups),
        Command::Own(command) => own::run(command),
    }
}

fn up(args: UpArgs) -> Result<ExitCode> {
    let began = Instant::now();
    let mut nodes = vec![NodeKind::Uniform; usize::from(args.nodes)];
    if let Some(last) = nodes.last_mut() {
        *last = args.node_kind;
    }
    let seed = args
        .seed
        .map(std::path::absolute)
        .transpose()
        .context("no working directory")?;
    let options = UpOptions {
        name: args.lab.name,
        kubernetes: args.kubernetes,
        nodes,
        node_agent: args.node_agent,
        node_taints: Vec::new(),
        network: args.network,
        flux: args.flux,
        lifetime: Lifetime::UntilDown,
        seed,
        speed: args.speed,
    };
    let mut steps = Steps::new();
    let lab = Lab::up_with_progress(options, |event| steps.show(event))?;
    let name = lab.name();
    remark(format_args!(
        "lab {name} is up after {:.1} s",
        began.elapsed().as_secs_f64()
    ));
    let typed = |command| hint::for_lab(command, name);
    remark(format_args!("  use it     eval \"$({})\"", typed("env")));
    remark(format_args!("  look at it {}", typed("status")));
    remark(format_args!("  end it     {}", typed("down")));
    Ok(ExitCode::SUCCESS)
}

fn install(args: &InstallArgs) -> Result<ExitCode> {
    let lab = Lab::connect(&args.lab.name)?;
    for missing in podid_lab::install::missing(&lab)? {
        remark(format_args!("note: {missing}"));
    }
    let overlay = args.manifests.clone();
    let overlay = overlay.unwrap_or_else(|| "kustomize/lab".into());
    let absolute = |folder| std::path::absolute(folder).context("no working directory");
    if let Some(images) = &args.images {
        remark("importing images, applying podid's manifests, and waiting until podid is ready");
        podid_lab::install::containers(&lab, &absolute(images.clone())?, &overlay)?;
    } else {
        let programs = absolute(args.programs.clone().map_or_else(own_folder, Ok)?)?;
        remark("applying podid's manifests, and waiting until podid is ready");
        podid_lab::install::programs(&lab, &programs, &overlay)?;
    }
    remark(format_args!("podid is ready in lab {}", lab.name()));
    Ok(ExitCode::SUCCESS)
}

fn print_tools(mut groups: Vec<ToolGroup>) -> Result<ExitCode> {
    if groups.is_empty() {
        groups = UpOptions::default().tools();
    }
    say(tools::ensure(&groups)?.path().display());
    Ok(ExitCode::SUCCESS)
}

/// Folder of this program, where podid's others are built too.
fn own_folder() -> Result<PathBuf> {
    let own = std::env::current_exe().context("this program cannot be found")?;
    Ok(own.parent().map(Path::to_path_buf).unwrap_or_default())
}

fn down(name: &str) -> Result<ExitCode> {
    if Lab::remove(name)? {
        remark(format_args!("lab {name} is gone"));
    } else {
        remark(format_args!("there is no lab {name}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn env(name: &str) -> Result<ExitCode> {
    let lab = Lab::connect(name)?;
    let ports = lab.endpoints();
    let local = |port| format!("https://127.0.0.1:{port}");
    let variables = [
        ("PODID_LAB", lab.name().to_owned()),
        ("KUBECONFIG", lab.kubeconfig().display().to_string()),
        ("AZURE_SIM_ARM", local(ports.arm)),
        ("AZURE_SIM_ENTRA", local(ports.entra)),
        ("AZURE_SIM_DATA", local(ports.data)),
        ("AZURE_SIM_ADMIN", lab.sim_admin_url()),
        ("AZURE_SIM_CA", lab.dir().ca_bundle().display().to_string()),
        ("AZURE_SUBSCRIPTION_ID", SUBSCRIPTION.to_owned()),
        // As the operator itself reads them. Under the names of Azure's SDKs
        // every program of this shell would take itself for the operator.
        ("PODID_TENANT_ID", ports.tenant_id.clone()),
        ("PODID_CLIENT_ID", OPERATOR_CLIENT_ID.to_owned()),
    ];
    for (variable, value) in variables {
        say(format_args!("export {variable}={}", quoted(&value)));
    }
    let tools = lab.tools()?.display().to_string();
    let programs = own_folder()?.display().to_string();
    say(format_args!(
        "export PATH={}:{}:\"$PATH\"",
        quoted(&tools),
        quoted(&programs)
    ));
    Ok(ExitCode::SUCCESS)
}

/// `value` as one word of a POSIX shell.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

fn run_program(args: &ExecArgs) -> ExitCode {
    let name = &args.target.lab.name;
    let ran = StateDir::of(name)
        .map_err(anyhow::Error::from)
        .and_then(|dir| {
            if !dir.is_running() {
                return Err(LabError::NotUp(name.clone()).into());
            }
            Ok(exec::exec(&dir, &args.target.target(), &args.argv)?)
        });
    match ran {
        Ok(code) => own::exit_code(code),
        Err(error) => {
            ui::complain(&error);
            ExitCode::from(NOT_STARTED)
        }
    }
}

fn service(command: ServiceCommand) -> Result<ExitCode> {
    match command {
        ServiceCommand::Start {
            service,
            target,
            restart,
            env,
            argv,
        } => {
            let lab = Lab::connect(&target.lab.name)?;
            let mut service = Service::new(&service, target.target(), argv);
            service.env.extend(env);
            service.restart = restart;
            service.cwd = std::env::current_dir().context("no working directory")?;
            lab.spawn_service(service)?;
        }
        ServiceCommand::Stop { service, lab } => Lab::connect(&lab.name)?.stop_service(&service)?,
        ServiceCommand::Kill {
            service,
            lab,
            signal,
        } => {
            Lab::connect(&lab.name)?.kill_service(&service, signal)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn logs(args: &LogsArgs) -> Result<ExitCode> {
    let lab = Lab::connect(&args.lab.name)?;
    let name = match &args.namespace {
        Some(namespace) => format!("{namespace}.{}", args.program),
        None => args.program.clone(),
    };
    let path = lab.log(&name);
    let mut text = Vec::new();
    std::fs::File::open(&path)
        .and_then(|mut file| file.read_to_end(&mut text))
        .with_context(|| {
            format!(
                "{} has no log; `{}` lists programs",
                args.program,
                hint::for_lab("status", lab.name())
            )
        })?;
    // A reader that went away, such as `head`, is no failure.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), &text);
    Ok(ExitCode::SUCCESS)
}
