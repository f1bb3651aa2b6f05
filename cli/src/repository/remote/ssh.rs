//! ssh, by the user's own program, started as git starts it: so agent, keys, known hosts and jump hosts are the
//! user's.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use git2::transport::{Service, SmartSubtransportStream};

use super::location::SshLocation;
use super::service::program;

/// Of what ssh says, the end is shown.
const MAX_SAID: usize = 2000;

/// Why ssh carried nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SshError {
    #[error(
        "cannot start ssh ({program}); install it, or say which one in GIT_SSH_COMMAND or core.sshCommand"
    )]
    Start { program: String, source: io::Error },
    #[error("ssh to {login} ended before git was done; it said: {said}")]
    Ended { login: String, said: String },
}

/// How ssh is started.
#[derive(Clone, Debug)]
pub(super) enum SshProgram {
    /// A line for the shell, from `GIT_SSH_COMMAND` or `core.sshCommand`.
    Line(OsString),
    /// A program, from `GIT_SSH` or by its name.
    Program(OsString),
}

impl SshProgram {
    /// In the order in which git looks.
    pub(super) fn find(config: &git2::Config) -> Self {
        let set = |name| env::var_os(name).filter(|value: &OsString| !value.is_empty());
        if let Some(line) = set("GIT_SSH_COMMAND") {
            return Self::Line(line);
        }
        match config.get_string("core.sshCommand") {
            Ok(line) if !line.is_empty() => Self::Line(line.into()),
            _ => Self::Program(set("GIT_SSH").unwrap_or_else(|| "ssh".into())),
        }
    }

    fn command(&self) -> Command {
        match self {
            Self::Program(program) => Command::new(program),
            Self::Line(line) => {
                let mut script = line.clone();
                script.push(" \"$@\"");
                let mut command = Command::new("sh");
                command.arg("-c").arg(script).arg(line);
                command
            }
        }
    }

    fn text(&self) -> String {
        let (Self::Line(text) | Self::Program(text)) = self;
        text.to_string_lossy().into_owned()
    }
}

/// Carries git's protocol over ssh.
#[derive(Debug)]
pub(super) struct SshTransport {
    location: SshLocation,
    program: SshProgram,
    error: Arc<Mutex<Option<SshError>>>,
}

impl SshTransport {
    pub(super) fn new(location: SshLocation, config: &git2::Config) -> Self {
        Self {
            location,
            program: SshProgram::find(config),
            error: Arc::default(),
        }
    }

    pub(super) fn take_error(&self) -> Option<SshError> {
        lock(&self.error).take()
    }

    /// Starts the program there that serves the repository.
    pub(super) fn stream(
        &self,
        service: Service,
    ) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        match self.start(program(service)) {
            Ok(stream) => Ok(Box::new(stream)),
            Err(source) => {
                let program = self.program.text();
                *lock(&self.error) = Some(SshError::Start { program, source });
                Err(git2::Error::from_str("ssh did not start"))
            }
        }
    }

    fn start(&self, program: &str) -> io::Result<SshStream> {
        let said = tempfile::tempfile()?;
        let mut command = self.program.command();
        if let Some(port) = self.location.port {
            command.arg("-p").arg(port.to_string());
        }
        let mut child = command
            .arg(self.location.login())
            .arg(format!("{program} {}", quoted(&self.location.path)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(said.try_clone()?)
            .spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        Ok(SshStream {
            child,
            input,
            output,
            said,
            login: self.location.login(),
            error: Arc::clone(&self.error),
        })
    }
}

/// A path for the shell there, as git quotes it.
fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', r"'\''").replace('!', r"'\!'"))
}

fn lock(error: &Mutex<Option<SshError>>) -> std::sync::MutexGuard<'_, Option<SshError>> {
    error.lock().unwrap_or_else(PoisonError::into_inner)
}

struct SshStream {
    child: Child,
    input: Option<ChildStdin>,
    output: Option<ChildStdout>,
    /// What ssh and the program there write for people.
    said: File,
    login: String,
    error: Arc<Mutex<Option<SshError>>>,
}

impl SshStream {
    /// Keeps what ssh said, for a failure that libgit2 sees as an early end.
    fn note_end(&mut self) {
        let mut said = String::new();
        let read = self.said.seek(SeekFrom::Start(0));
        // What cannot be read is not worth a second error.
        let _ignored = read.and_then(|_| self.said.read_to_string(&mut said));
        let mut said = said.trim();
        while said.len() > MAX_SAID {
            said = said.split_once('\n').map_or("", |(_, rest)| rest);
        }
        *lock(&self.error) = Some(SshError::Ended {
            login: self.login.clone(),
            said: if said.is_empty() { "nothing" } else { said }.to_owned(),
        });
    }
}

impl Read for SshStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(output) = &mut self.output else {
            return Ok(0);
        };
        let read = output.read(buffer)?;
        if read == 0 && !buffer.is_empty() {
            self.note_end();
        }
        Ok(read)
    }
}

impl Write for SshStream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let Some(input) = &mut self.input else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let written = input.write(buffer);
        if written.is_err() {
            self.note_end();
        }
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for SshStream {
    fn drop(&mut self) {
        // The program there ends when nothing more can come, and ssh with it.
        drop((self.input.take(), self.output.take()));
        let _ignored = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_leave_its_quotes() {
        assert_eq!(quoted("/a b"), "'/a b'");
        assert_eq!(quoted("a';id;'!"), r"'a'\'';id;'\'''\!''");
    }

    #[test]
    fn a_line_is_for_the_shell_and_gets_its_arguments_unread() {
        let program = SshProgram::Line("printf '%s|' x".into());
        let output = program.command().args(["a b", "$HOME"]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "x|a b|$HOME|");
    }
}
