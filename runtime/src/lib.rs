//! The parts that every podid daemon has: logs, metrics, readiness, supervised tasks, shutdown.
//!
//! A daemon's `main.rs` hands its `app::run` to [`process::run`]; the wiring then reads:
//!
//! ```no_run
//! use podid_runtime::admin::{self, AdminPages};
//! use podid_runtime::{BoxError, Drain, Readiness, Settings, Signals, Tasks, logging, metrics};
//! # async fn serve(_: Drain) -> Result<(), BoxError> { Ok(()) }
//!
//! async fn run(settings: Settings) -> Result<(), BoxError> {
//!     logging::init(&settings.log)?;
//!     let (drain, readiness, mut tasks) = (Drain::new(), Readiness::new(), Tasks::new());
//!     tasks.background("signals", Signals::install()?.forward_to(drain.clone()));
//!
//!     let registry = metrics::registry("example"); // register own metrics here
//!     let admin = admin::bind(settings.admin_addr).await?; // admin.local_addr() is the real one
//!     let pages = AdminPages::new(readiness.clone(), drain.clone(), registry);
//!     tasks.background("admin", admin.serve(pages));
//!
//!     let synced = readiness.register("first sync");
//!     tasks.required("server", serve(drain.clone()));
//!     synced.pass(); // /readyz turns 200
//!
//!     tasks.supervise(&drain, settings.drain_timeout).await?;
//!     Ok(())
//! }
//! ```

pub mod admin;
mod drain;
pub mod logging;
pub mod metrics;
pub mod process;
mod readiness;
mod settings;
mod signals;
mod tasks;
pub mod text;
pub mod wait;

pub use podid_build_info as build_info;

pub use drain::Drain;
pub use readiness::{PendingCheck, Readiness, ReadinessCheck};
pub use settings::{LogFilter, LogFormat, LogSettings, Settings, parse_duration};
pub use signals::{SignalError, Signals};
pub use tasks::{BoxError, TaskError, Tasks};
