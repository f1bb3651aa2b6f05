//! VMs and scale sets.

mod change;
mod read;
