//! Pushing images to a registry, by the OCI distribution specification.

mod credentials;
mod destination;
mod refusal;

use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use http::HeaderValue;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};

pub use self::destination::{Destination, DestinationError};
use self::refusal::Refusal;
use crate::image::{Blob, Image};
use crate::programs::ShippedProgram;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest silence of a registry that is storing what it has received.
const READ_TIMEOUT: Duration = Duration::from_secs(120);

/// A digest that no blob has: asking for it shows whether the registry lets us ask.
const NOBODYS: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// A registry with the credentials for it.
pub struct Registry {
    client: Client,
    destination: Destination,
    credentials: RegistryAuth,
}

/// What a push did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The image by its digest, as `registry.example.com/team/podid@sha256:…`.
    pub reference: String,
    /// How many blobs and manifests were sent; 0 when the registry had all of them.
    pub sent: usize,
}

impl Registry {
    /// Prepares for pushing to `destination`; nothing is asked yet.
    ///
    /// # Errors
    /// When the stored credentials cannot be read, or would be sent in the open.
    pub fn new(destination: Destination, is_plain_http: bool) -> Result<Self> {
        let protocol = if is_plain_http {
            ClientProtocol::Http
        } else {
            ClientProtocol::Https
        };
        let client = Client::try_from(ClientConfig {
            protocol,
            use_monolithic_push: true,
            connect_timeout: Some(CONNECT_TIMEOUT),
            read_timeout: Some(READ_TIMEOUT),
            user_agent: concat!("podid/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        })?;
        Ok(Self {
            client,
            credentials: credentials::find(&destination, is_plain_http)?,
            destination,
        })
    }

    /// Asks whether the registry is there and knows us, before anything is built for it.
    ///
    /// # Errors
    /// When it is not, or does not; one line with what to do.
    pub async fn check(&self, program: ShippedProgram) -> Result<()> {
        let image = self.destination.image(program.name(), "latest");
        self.log_in(&image).await?;
        let asked = self.client.blob_exists(&image, NOBODYS).await;
        asked
            .map(drop)
            .map_err(|error| self.refused(&image, &error))
    }

    /// Sends what the registry does not have of an image, and gives it the tag.
    ///
    /// # Errors
    /// When the registry refuses; one line with what to do.
    pub async fn push(&self, image: &Image, tag: &str) -> Result<Pushed> {
        let reference = self.destination.image(image.program.name(), tag);
        self.log_in(&reference).await?;
        let mut sent = 0;
        for blob in [&image.layer, &image.config] {
            sent += usize::from(self.send(&reference, blob).await?);
        }
        let digest = &image.manifest.digest;
        if self.tagged(&reference).await?.as_ref() != Some(digest) {
            let kind = HeaderValue::from_str(image.manifest.media_type.as_ref())?;
            let manifest = image.manifest.bytes.clone();
            let sending = self.client.push_manifest_raw(&reference, manifest, kind);
            sending
                .await
                .map_err(|error| self.refused(&reference, &error))?;
            sent += 1;
            let stored = self.tagged(&reference).await?;
            ensure!(
                stored.as_ref() == Some(digest),
                "the registry {} shows another image at {reference} than was pushed: push again, \
                 and look who else pushes this tag",
                self.destination.registry()
            );
        }
        let repository = self.destination.repository(image.program.name());
        Ok(Pushed {
            reference: format!("{}/{repository}@{digest}", self.destination.registry()),
            sent,
        })
    }

    async fn log_in(&self, image: &Reference) -> Result<()> {
        let asked = self
            .client
            .auth(image, &self.credentials, RegistryOperation::Push);
        asked
            .await
            .map(drop)
            .map_err(|error| self.refused(image, &error))
    }

    /// Sends a blob unless it is there; returns whether it was sent.
    async fn send(&self, image: &Reference, blob: &Blob) -> Result<bool> {
        let refused = |error| self.refused(image, &error);
        if self
            .client
            .blob_exists(image, &blob.digest)
            .await
            .map_err(refused)?
        {
            return Ok(false);
        }
        let sending = self
            .client
            .push_blob(image, blob.bytes.clone(), &blob.digest);
        sending.await.map_err(refused)?;
        Ok(true)
    }

    /// Digest of the image that the tag names now.
    async fn tagged(&self, image: &Reference) -> Result<Option<String>> {
        match self
            .client
            .fetch_manifest_digest(image, &self.credentials)
            .await
        {
            Ok(digest) => Ok(Some(digest)),
            Err(error) if Refusal::of(&error) == Refusal::Absent => Ok(None),
            Err(error) => Err(self.refused(image, &error)),
        }
    }

    fn refused(&self, image: &Reference, error: &OciDistributionError) -> anyhow::Error {
        anyhow!(Refusal::of(error).tell(self.destination.registry(), image.repository()))
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the credentials.
        write!(f, "Registry({})", self.destination)
    }
}
