//! The terminal interface as people use it: the built binary in a pseudo-terminal, keys in, screens out.

#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers too")]

use std::fs;
use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use meshquake_tests::{binary, meshquake, stderr, stdout};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

const SMALL: &str = "\
meshquake: v1
name: small
seed: 3
duration: 20s
services:
  web: { ports: [80], script: [call: api] }
  api: { ports: [80], replicas: 2, service-time: 2ms }
traffic:
  users: { to: \"http://web/\", rate: poisson(40/s), timeout: 1s }
faults:
  - { name: gone, at: 5s, for: 2s, crash: api-1 }
expect:
  - { traffic: users, success: \">= 50%\" }
";

/// How often the screen is looked at before a test gives up, a tenth of a second apart.
const LOOKS: u32 = 600;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("small.yaml"), SMALL).unwrap();
    folder
}

/// A terminal with `meshquake tui` in it.
struct Session {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    bytes: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    _master: Box<dyn MasterPty + Send>,
}

impl Session {
    fn open(folder: &Path, args: &[&str], columns: u16, rows: u16) -> Self {
        let size = PtySize {
            rows,
            cols: columns,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(binary());
        command.arg("tui");
        command.args(args);
        command.cwd(folder);
        command.env("TERM", "xterm-256color");
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (to, bytes) = channel();
        let read = move || {
            let mut buffer = [0; 65_536];
            while let Ok(count) = reader.read(&mut buffer) {
                if count == 0 || to.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        };
        thread::Builder::new().spawn(read).unwrap();
        Self {
            child,
            keys: pair.master.take_writer().unwrap(),
            bytes,
            screen: vt100::Parser::new(
                NonZero::new(rows).unwrap(),
                NonZero::new(columns).unwrap(),
                0,
            ),
            _master: pair.master,
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    fn contents(&self) -> String {
        self.screen.screen().contents()
    }

    /// Waits until the screen shows `wanted`.
    fn see(&mut self, wanted: &str) {
        for _ in 0..LOOKS {
            if self.contents().contains(wanted) {
                return;
            }
            if let Ok(bytes) = self.bytes.recv_timeout(Duration::from_millis(100)) {
                self.screen.process(&bytes);
            }
        }
        panic!("`{wanted}` was never seen:\n{}", self.contents());
    }

    /// Waits for the end, and for the last byte.
    #[expect(
        clippy::disallowed_methods,
        reason = "a process of the machine's own takes the machine's time to end"
    )]
    fn end(&mut self) -> u32 {
        let mut looks = 0;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            looks += 1;
            assert!(looks < LOOKS, "it did not leave:\n{}", self.contents());
            match self.bytes.recv_timeout(Duration::from_millis(100)) {
                Ok(bytes) => self.screen.process(&bytes),
                // Its end of the terminal is closed; the process itself may take a moment more.
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        };
        while let Ok(bytes) = self.bytes.recv_timeout(Duration::from_millis(500)) {
            self.screen.process(&bytes);
        }
        status.exit_code()
    }

    /// The terminal is the user's again.
    fn is_given_back(&self) {
        let screen = self.screen.screen();
        assert!(!screen.alternate_screen(), "the screen of before");
        assert!(!screen.hide_cursor(), "with its cursor");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    }
}

#[test]
fn it_opens_plays_pauses_helps_and_leaves() {
    let folder = folder();
    let mut session = Session::open(folder.path(), &["small.yaml"], 80, 24);
    session.see("1 Overview");
    session.see("so far");
    assert!(session.screen.screen().alternate_screen());
    session.press(" ");
    session.see("‖ 1×");
    session.press(" ");
    session.see("▶ 1×");
    session.press("?");
    session.see("play, pause");
    session.press("q");
    session.press(" f");
    session.see("5.000 / 20.000");
    session.see("↯ gone");
    session.press("q");
    assert_eq!(session.end(), 0);
    session.is_given_back();
}

#[test]
fn sigterm_gives_the_terminal_back() {
    let folder = folder();
    let mut session = Session::open(folder.path(), &["small.yaml"], 80, 24);
    session.see("1 Overview");
    let pid = session.child.process_id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    session.end();
    session.is_given_back();
}

#[test]
fn ctrl_c_leaves() {
    let folder = folder();
    let mut session = Session::open(folder.path(), &["small.yaml"], 100, 30);
    session.see("1 Overview");
    session.press("\u{3}");
    assert_eq!(session.end(), 0);
    session.is_given_back();
}

#[test]
fn what_is_no_terminal_is_told_so() {
    let folder = folder();
    let output = meshquake(folder.path(), &["tui", "small.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("needs a terminal"),
        "{}",
        stderr(&output)
    );
    assert!(stdout(&output).is_empty());
}

#[test]
fn what_is_done_by_hand_can_be_run_again() {
    let folder = folder();
    let mut session = Session::open(folder.path(), &["small.yaml"], 120, 40);
    session.see("so far");
    session.press(":12s\r");
    session.see("12.000 / 20.000");
    session.press(":fault name: by hand, for: 3s, crash: api-0\r");
    session.see("w saves it");
    session.press("w");
    session.see("saved: meshquake run small-by-hand.yaml --seed 3");
    session.press("f");
    session.see("↯ by hand");
    session.press("q");
    assert_eq!(session.end(), 0);
    session.is_given_back();
    assert_eq!(
        fs::read_to_string(folder.path().join("small.yaml")).unwrap(),
        SMALL
    );
    let run = meshquake(folder.path(), &["run", "small-by-hand.yaml", "--seed", "3"]);
    assert!(
        stdout(&run).contains("by hand"),
        "{}{}",
        stdout(&run),
        stderr(&run)
    );
}

#[test]
fn a_record_is_played_and_compared() {
    let folder = folder();
    let json = meshquake(
        folder.path(),
        &["run", "small.yaml", "--json", "run.json", "--quiet"],
    );
    assert_eq!(json.status.code(), Some(0), "{}", stderr(&json));
    let mut session = Session::open(folder.path(), &["run.json"], 80, 24);
    session.see("record");
    session.press("f");
    session.see("5.000 / 20.000");
    session.press("q");
    session.end();
    let other = SMALL.replace("for: 2s", "for: 4s");
    fs::write(folder.path().join("other.yaml"), other).unwrap();
    let mut session = Session::open(folder.path(), &["small.yaml", "other.yaml"], 120, 40);
    session.see("they part at");
    session.press("D");
    session.see("/ 20.000");
    session.press("q");
    session.end();
    session.is_given_back();
}

#[test]
fn what_is_wrong_with_a_file_is_told_before_the_terminal_is_taken() {
    let folder = folder();
    fs::write(folder.path().join("bad.json"), "{\"schema\": \"other/v1\"}").unwrap();
    let mut session = Session::open(folder.path(), &["bad.json"], 80, 24);
    session.see("not the record of a run");
    assert_eq!(session.end(), 2);
    session.is_given_back();
}
