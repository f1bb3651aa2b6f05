//! The programs that are shipped as images.

/// A program with an image of its own. The image, the program in it and the crate have one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum ShippedProgram {
    /// The node daemon.
    PodidNmi,
    /// The operator.
    PodidOperator,
    /// The CLI.
    Podid,
}

impl ShippedProgram {
    /// Every program, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::PodidNmi, Self::PodidOperator, Self::Podid];

    /// Name of the image, of the program and of its crate.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PodidNmi => "podid-nmi",
            Self::PodidOperator => "podid-operator",
            Self::Podid => "podid",
        }
    }

    /// One sentence for people who look at the image.
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::PodidNmi => {
                "Answers the pods of a node with tokens of their own Azure identities"
            }
            Self::PodidOperator => "Makes Azure and the cluster agree with what profiles want",
            Self::Podid => "Writes profiles and classes, and tells what they will do",
        }
    }

    /// User and group of the program in the image, as numbers: a kubelet checks `runAsNonRoot` only
    /// against a number.
    ///
    /// The node daemon is user 0. Kubernetes adds capabilities to a container's permitted set, which the
    /// kernel empties when a program of another user starts; only capabilities of the file would bring
    /// them back, and `allowPrivilegeEscalation: false` switches those off.
    #[must_use]
    pub fn user(self) -> &'static str {
        match self {
            Self::PodidNmi => "0:0",
            Self::PodidOperator | Self::Podid => "65532:65532",
        }
    }
}
