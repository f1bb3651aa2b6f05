//! The chart, installed by the real helm on a real API server that has nothing of podid.

mod docs;
mod life;
mod objects;
mod stage;
