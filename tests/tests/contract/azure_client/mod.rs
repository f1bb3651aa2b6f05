//! podid's Azure client against azure-sim, over TLS: the two share no type, so what one of them
//! has wrong shows here.

mod cloud;
mod compute;
mod faults;
mod identities;
mod imds;
mod login;
mod roles;
mod subscriptions;
