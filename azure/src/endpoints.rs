use std::{fmt, str::FromStr};

use url::Url;

/// One of Microsoft's clouds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize)]
pub enum AzureCloud {
    /// `AzurePublicCloud`
    #[default]
    Public,
    /// `AzureUSGovernmentCloud`
    UsGovernment,
    /// `AzureChinaCloud`
    China,
}

/// Where Azure's services are.
///
/// [`Endpoints::of`] knows Microsoft's clouds; the `with_` methods put another address in place,
/// for private clouds and for azure-sim. All addresses are `https`: a token is never sent in the
/// clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    arm: Url,
    authority: Url,
    /// Audience of ARM tokens, with its trailing slash.
    arm_audience: String,
}

/// An address or a cloud's name that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointsError {
    /// The name of no cloud.
    #[error(
        "{0:?} is not a cloud; use AzurePublicCloud, AzureUSGovernmentCloud or AzureChinaCloud"
    )]
    UnknownCloud(String),
    /// Not a URL of the form `https://host[:port]`.
    #[error("{what} {url:?} must be of the form https://HOST or https://HOST:PORT")]
    BadUrl {
        /// Which address.
        what: &'static str,
        /// What was given.
        url: String,
    },
}

impl AzureCloud {
    /// The name that `azure.json` and IMDS use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "AzurePublicCloud",
            Self::UsGovernment => "AzureUSGovernmentCloud",
            Self::China => "AzureChinaCloud",
        }
    }
}

impl fmt::Display for AzureCloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for AzureCloud {
    type Err = EndpointsError;

    /// Reads the names of `azure.json` and of the Azure CLI, in any letter case.
    fn from_str(text: &str) -> Result<Self, EndpointsError> {
        match text.to_ascii_lowercase().as_str() {
            "azurepubliccloud" | "azurecloud" | "public" => Ok(Self::Public),
            "azureusgovernmentcloud" | "azureusgovernment" | "usgovernment" => {
                Ok(Self::UsGovernment)
            }
            "azurechinacloud" | "china" => Ok(Self::China),
            _ => Err(EndpointsError::UnknownCloud(text.to_owned())),
        }
    }
}

impl Endpoints {
    /// The addresses of one of Microsoft's clouds.
    pub fn of(cloud: AzureCloud) -> Self {
        let (arm, authority) = match cloud {
            AzureCloud::Public => (
                "https://management.azure.com",
                "https://login.microsoftonline.com",
            ),
            AzureCloud::UsGovernment => (
                "https://management.usgovcloudapi.net",
                "https://login.microsoftonline.us",
            ),
            AzureCloud::China => (
                "https://management.chinacloudapi.cn",
                "https://login.chinacloudapi.cn",
            ),
        };
        Self {
            arm: known(arm),
            authority: known(authority),
            arm_audience: format!("{arm}/"),
        }
    }

    /// Puts ARM at another address. The audience of its tokens stays that of the cloud, as it does
    /// for azure-sim.
    ///
    /// # Errors
    /// If it is not of the form `https://host[:port]`.
    pub fn with_arm(mut self, url: &str) -> Result<Self, EndpointsError> {
        self.arm = base_url("the ARM endpoint", url)?;
        Ok(self)
    }

    /// Puts Entra at another address.
    ///
    /// # Errors
    /// If it is not of the form `https://host[:port]`.
    pub fn with_authority(mut self, url: &str) -> Result<Self, EndpointsError> {
        self.authority = base_url("the Entra authority", url)?;
        Ok(self)
    }

    /// Base URL of ARM.
    pub fn arm(&self) -> &Url {
        &self.arm
    }

    /// Base URL of Entra.
    pub fn authority(&self) -> &Url {
        &self.authority
    }

    /// Scope of ARM tokens. Entra takes what stands before the *last* slash as the audience, so
    /// the doubled slash is meant.
    pub fn arm_scope(&self) -> String {
        format!("{}/.default", self.arm_audience)
    }
}

#[allow(clippy::expect_used)] // Literals above; a test reads them all.
fn known(url: &'static str) -> Url {
    Url::parse(url).expect("a literal URL")
}

fn base_url(what: &'static str, text: &str) -> Result<Url, EndpointsError> {
    let bad = || EndpointsError::BadUrl {
        what,
        url: text.to_owned(),
    };
    let url = Url::parse(text).map_err(|_| bad())?;
    let bare = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if url.scheme() == "https" && url.has_host() && bare {
        Ok(url)
    } else {
        Err(bad())
    }
}

#[cfg(test)]
mod tests {
    use super::{AzureCloud, Endpoints};

    #[test]
    fn every_cloud_is_found_by_its_name() {
        for cloud in [
            AzureCloud::Public,
            AzureCloud::UsGovernment,
            AzureCloud::China,
        ] {
            assert_eq!(
                cloud.as_str().to_uppercase().parse::<AzureCloud>(),
                Ok(cloud)
            );
            let endpoints = Endpoints::of(cloud);
            assert_eq!(endpoints.arm_audience, endpoints.arm().as_str());
        }
        assert!("AzureGermanCloud".parse::<AzureCloud>().is_err());
    }

    #[test]
    fn the_scope_keeps_the_slash_of_the_audience() {
        let scope = Endpoints::of(AzureCloud::Public).arm_scope();
        assert_eq!(scope, "https://management.azure.com//.default");
    }

    #[test]
    fn only_bare_https_addresses_are_taken() {
        let with_arm = |url| Endpoints::of(AzureCloud::Public).with_arm(url);
        assert!(with_arm("https://127.0.0.1:8443").is_ok());
        for url in [
            "http://127.0.0.1",
            "https://u:p@h",
            "https://h/path",
            "https://h?q",
            "h",
        ] {
            assert!(with_arm(url).is_err(), "{url} must be refused");
        }
    }
}
