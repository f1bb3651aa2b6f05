//! The programs of git's that serve a repository.

use git2::transport::Service;

/// The program that serves a request; both transports name it so.
pub(super) fn program(service: Service) -> &'static str {
    match service {
        Service::UploadPackLs | Service::UploadPack => "git-upload-pack",
        Service::ReceivePackLs | Service::ReceivePack => "git-receive-pack",
    }
}
