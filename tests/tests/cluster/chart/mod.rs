//! The chart, installed by the real helm on a real API server that has nothing of podid.

mod docs;
mod early;
mod life;
mod neighbours;
mod objects;
mod prober;
mod stage;
mod upgrade;
