//! git's smart HTTP protocol (gitprotocol-http) over reqwest: rustls, the certificates that the system trusts, the
//! proxies of the environment.

use std::fmt;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use git2::CredentialHelper;
use git2::transport::{Service, SmartSubtransportStream};
use podid_azure::Secret;
use reqwest::StatusCode;
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use url::Url;

use super::client::{self, ClientError};
use super::location::HttpLocation;
use super::service::program;

/// Environment variable with the token for https.
pub(super) const TOKEN_VARIABLE: &str = "PODID_GIT_TOKEN";

/// User name for a token where the URL has none; hosts look at the token only.
const TOKEN_USER: &str = "git";

/// How much of a server's words is shown.
const MAX_SAID: u64 = 500;

/// Why HTTP carried nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("{host} does not answer")]
    Send {
        host: String,
        source: reqwest::Error,
    },
    #[error(
        "{host} asks who you are: set PODID_GIT_TOKEN, or a credential.helper of git that knows {host}"
    )]
    NoCredentials { host: String },
    #[error("{host} refuses the credentials (401){said}; take a token that is valid")]
    Unauthorized { host: String, said: String },
    #[error(
        "{host} forbids this (403){said}; the token or user needs the right to push to the repository"
    )]
    Forbidden { host: String, said: String },
    #[error("{host} has no such repository (404), or its credentials may not see it")]
    NotFound { host: String },
    #[error("{host} sends elsewhere ({status}); give the URL that it leads to")]
    Moved { host: String, status: StatusCode },
    #[error("{host} answers {status}{said}")]
    Status {
        host: String,
        status: StatusCode,
        said: String,
    },
    #[error("{host} answers, but not as a git repository; is the URL that of a repository?")]
    NotGit { host: String },
}

/// User and password of HTTP's basic scheme.
#[derive(Clone, Debug)]
struct Login {
    user: Secret,
    password: Secret,
}

/// What is learnt while talking.
#[derive(Debug)]
struct State {
    /// URL of the repository, after redirections on its host.
    base: Url,
    login: Option<Login>,
    error: Option<HttpError>,
}

/// Carries git's protocol over HTTP.
#[derive(Clone, Debug)]
pub(super) struct HttpTransport {
    client: Client,
    /// Asks git's credential helpers.
    helper: Arc<Helper>,
    state: Arc<Mutex<State>>,
}

struct Helper(CredentialHelper);

impl fmt::Debug for Helper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Helper")
    }
}

impl HttpTransport {
    pub(super) fn new(
        location: HttpLocation,
        config: &git2::Config,
        ca_file: Option<&PathBuf>,
    ) -> Result<Self, HttpError> {
        let client = client::client(&location.url, config, ca_file)?;
        let mut helper = CredentialHelper::new(location.url.as_str());
        let user = location.user.as_ref();
        helper.config(config).username(user.map(Secret::expose));
        let token = || std::env::var(TOKEN_VARIABLE).ok().map(Secret::new);
        let password = location.password.clone().or_else(token);
        let login = password.map(|password| Login {
            user: user.cloned().unwrap_or_else(|| Secret::new(TOKEN_USER)),
            password,
        });
        let state = State {
            base: location.url,
            login,
            error: None,
        };
        Ok(Self {
            client,
            helper: Arc::new(Helper(helper)),
            state: Arc::new(Mutex::new(state)),
        })
    }

    pub(super) fn take_error(&self) -> Option<HttpError> {
        self.state().error.take()
    }

    /// A request that is sent when libgit2 reads its answer.
    pub(super) fn stream(
        &self,
        service: Service,
    ) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        Ok(Box::new(HttpStream {
            transport: self.clone(),
            service,
            body: Vec::new(),
            answer: None,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn host(&self) -> String {
        self.state().base.host_str().unwrap_or_default().to_owned()
    }

    /// Sends a request; a server that asks who we are is told once.
    fn send(&self, service: Service, body: &[u8]) -> Result<Response, HttpError> {
        let known = self.state().login.clone();
        let had_login = known.is_some();
        let mut response = self.send_once(service, body, known.as_ref())?;
        if response.status() == StatusCode::UNAUTHORIZED && !had_login {
            let Some((user, password)) = self.helper.0.execute() else {
                return Err(HttpError::NoCredentials { host: self.host() });
            };
            let (user, password) = (Secret::new(user), Secret::new(password));
            let login = Login { user, password };
            response = self.send_once(service, body, Some(&login))?;
            self.state().login = Some(login);
        }
        self.checked(service, response)
    }

    fn send_once(
        &self,
        service: Service,
        body: &[u8],
        login: Option<&Login>,
    ) -> Result<Response, HttpError> {
        let mut request = self.request(service, body);
        if let Some(Login { user, password }) = login {
            request = request.basic_auth(user.expose(), Some(password.expose()));
        }
        request.send().map_err(|source| HttpError::Send {
            host: self.host(),
            // The URL is of no interest, and the host is named.
            source: source.without_url(),
        })
    }

    fn request(&self, service: Service, body: &[u8]) -> RequestBuilder {
        let base = self.state().base.clone();
        let base = base.as_str().trim_end_matches('/');
        let name = program(service);
        if is_advertisement(service) {
            let url = format!("{base}/info/refs?service={name}");
            return self.client.get(url);
        }
        self.client
            .post(format!("{base}/{name}"))
            .header(CONTENT_TYPE, format!("application/x-{name}-request"))
            .header(ACCEPT, format!("application/x-{name}-result"))
            .body(body.to_vec())
    }

    /// The answer, if it is git's.
    fn checked(&self, service: Service, response: Response) -> Result<Response, HttpError> {
        let host = self.host();
        let status = response.status();
        if !status.is_success() {
            return Err(refusal(host, status, response));
        }
        let form = if is_advertisement(service) {
            "advertisement"
        } else {
            "result"
        };
        let wanted = format!("application/x-{}-{form}", program(service));
        let given = response.headers().get(CONTENT_TYPE);
        if given.and_then(|value| value.to_str().ok()) != Some(wanted.as_str()) {
            return Err(HttpError::NotGit { host });
        }
        if let Some((base, _)) = response.url().as_str().split_once("/info/refs?")
            && let Ok(base) = Url::parse(base)
        {
            self.state().base = base;
        }
        Ok(response)
    }
}

fn refusal(host: String, status: StatusCode, response: Response) -> HttpError {
    let said = said(response);
    match status {
        StatusCode::UNAUTHORIZED => HttpError::Unauthorized { host, said },
        StatusCode::FORBIDDEN => HttpError::Forbidden { host, said },
        StatusCode::NOT_FOUND => HttpError::NotFound { host },
        status if status.is_redirection() => HttpError::Moved { host, status },
        status => HttpError::Status { host, status, said },
    }
}

/// What a server says in plain text, with a colon before it.
fn said(response: Response) -> String {
    let is_plain = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/plain"));
    let mut text = Vec::new();
    if is_plain {
        // Its words only explain the status, which is known.
        let _ignored = response.take(MAX_SAID).read_to_end(&mut text);
    }
    let text = String::from_utf8_lossy(&text);
    let printable: String = text.chars().filter(|c| !c.is_control()).collect();
    match printable.trim() {
        "" => String::new(),
        words => format!(": {words}"),
    }
}

fn is_advertisement(service: Service) -> bool {
    matches!(service, Service::UploadPackLs | Service::ReceivePackLs)
}

/// One request and its answer.
struct HttpStream {
    transport: HttpTransport,
    service: Service,
    body: Vec<u8>,
    answer: Option<Response>,
}

impl Read for HttpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(answer) = &mut self.answer {
            return answer.read(buffer);
        }
        match self.transport.send(self.service, &self.body) {
            Ok(mut answer) => {
                let read = answer.read(buffer);
                self.answer = Some(answer);
                read
            }
            Err(error) => {
                let text = error.to_string();
                self.transport.state().error = Some(error);
                Err(io::Error::other(text))
            }
        }
    }
}

impl Write for HttpStream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.body.extend_from_slice(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
