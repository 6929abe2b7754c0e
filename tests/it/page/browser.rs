//! A Chromium without a window, driven by chromedriver: what WebDriver says over HTTP, and no more of it than is used.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{left_out, until};

/// What WebDriver calls an element in JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser; it ends with the value.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: TempDir,
}

/// An element of a page.
pub struct Element(String);

impl Browser {
    /// One that prefers this language; `None` where there is no Chromium.
    pub fn start(language: &str) -> Option<Self> {
        for program in ["chromium", "chromedriver"] {
            let mut asked = Command::new(program);
            let asked = asked.arg("--version").stdout(Stdio::null());
            if let Err(error) = asked.stderr(Stdio::null()).status() {
                left_out("the page in a browser", format!("{program}: {error}"));
                return None;
            }
        }
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = said.map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("successfully on port ")?;
            port.trim_end_matches('.').parse().ok()
        });
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Self {
            driver,
            port: port.expect("chromedriver says its port"),
            session: String::new(),
            _profile: profile,
        };
        let mut args = vec![
            "--headless".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-quic".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--no-proxy-server".to_owned(),
            "--window-size=1440,1200".to_owned(),
            format!("--accept-lang={language}"),
            format!("--user-data-dir={}", browser._profile.path().display()),
        ];
        if fs::metadata("/proc/self").unwrap().uid() == 0 {
            args.push("--no-sandbox".to_owned());
        }
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": args},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let session = browser.call("POST", "/session", Some(&wanted));
        session["sessionId"]
            .as_str()
            .unwrap()
            .clone_into(&mut browser.session);
        // A key pressed before the window has the focus would go nowhere.
        let focused = json!({"enabled": true});
        browser.command("Emulation.setFocusEmulationEnabled", &focused);
        Some(browser)
    }

    /// Opens a page, and waits until it is loaded.
    pub fn open(&self, url: &str) {
        self.post("/url", &json!({"url": url}));
        self.until_loaded();
    }

    /// Where it is.
    pub fn url(&self) -> String {
        self.get("/url").as_str().unwrap().to_owned()
    }

    /// Waits until the address ends so.
    pub fn until_at(&self, end: &str) {
        until(&format!("the address ends with {end}"), || {
            self.url().ends_with(end)
        });
        self.until_loaded();
    }

    /// Waits until it is at any page with this in its address.
    pub fn until_at_any(&self, with: &str) {
        until(&format!("{with} is in the address"), || {
            self.url().contains(with)
        });
        self.until_loaded();
    }

    /// Waits until the page is there as a whole: an address changes long before, and a command that meets a page on
    /// its way out fails.
    fn until_loaded(&self) {
        let asked = json!({"script": "return document.readyState", "args": []}).to_string();
        let path = format!("/session/{}/execute/sync", self.session);
        until("the page is loaded", || {
            let (_, answer) = self.talk("POST", &path, &asked);
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            answer["value"] == "complete"
        });
    }

    /// The first element of a path.
    pub fn find(&self, xpath: &str) -> Element {
        self.all(xpath)
            .into_iter()
            .next()
            .unwrap_or_else(|| panic!("there is no {xpath}"))
    }

    /// All elements of a path.
    pub fn all(&self, xpath: &str) -> Vec<Element> {
        let found = self.post("/elements", &json!({"using": "xpath", "value": xpath}));
        let found = found.as_array().unwrap().iter();
        found.map(Element::of).collect()
    }

    /// The element that has the focus.
    pub fn active(&self) -> Element {
        Element::of(&self.get("/element/active"))
    }

    /// What is seen of an element.
    pub fn text(&self, element: &Element) -> String {
        self.get(&format!("/element/{}/text", element.0))
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// An attribute; empty where there is none.
    pub fn attribute(&self, element: &Element, name: &str) -> String {
        let value = self.get(&format!("/element/{}/attribute/{name}", element.0));
        value.as_str().unwrap_or_default().to_owned()
    }

    /// What a screen reader says of it: its role and its name.
    pub fn said(&self, element: &Element) -> (String, String) {
        let of = |what: &str| self.get(&format!("/element/{}/computed{what}", element.0));
        let [role, name] = ["role", "label"].map(|what| of(what).as_str().unwrap().to_owned());
        (role, name)
    }

    /// Clicks on it.
    pub fn click(&self, element: &Element) {
        self.post(&format!("/element/{}/click", element.0), &json!({}));
    }

    /// Presses a key: `\u{E004}` is Tab, `\u{E007}` Enter.
    pub fn press(&self, key: char) {
        let key = key.to_string();
        self.post(
            "/actions",
            &json!({"actions": [{"type": "key", "id": "keyboard", "actions": [
                {"type": "keyDown", "value": key}, {"type": "keyUp", "value": key},
            ]}]}),
        );
    }

    /// A command of Chromium's own.
    pub fn command(&self, name: &str, parameters: &Value) -> Value {
        self.post(
            "/goog/cdp/execute",
            &json!({"cmd": name, "params": parameters}),
        )
    }

    /// The page as it is seen.
    pub fn screenshot(&self) -> String {
        self.get("/screenshot").as_str().unwrap().to_owned()
    }

    /// What it has logged: `browser` for what went wrong, `performance` for its requests.
    pub fn log(&self, kind: &str) -> Vec<String> {
        let entries = self.post("/se/log", &json!({"type": kind}));
        let entries = entries.as_array().unwrap().iter();
        entries
            .map(|entry| entry["message"].as_str().unwrap().to_owned())
            .collect()
    }

    fn get(&self, path: &str) -> Value {
        self.call("GET", &format!("/session/{}{path}", self.session), None)
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.call(
            "POST",
            &format!("/session/{}{path}", self.session),
            Some(body),
        )
    }

    #[track_caller]
    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let body = body.map(Value::to_string).unwrap_or_default();
        let (head, answer) = self.talk(method, path, &body);
        let mut answer: Value = serde_json::from_slice(&answer).unwrap();
        assert!(
            head.starts_with("HTTP/1.1 200"),
            "{method} {path}: {answer}"
        );
        answer["value"].take()
    }

    fn talk(&self, method: &str, path: &str, body: &str) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(90)))
            .unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}",
            self.port
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(stream.read_line(&mut head).unwrap(), 0, "{head}");
        }
        let lower = head.to_lowercase();
        let length = lower
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"));
        let mut answer = vec![0; length.unwrap().trim().parse().unwrap()];
        stream.read_exact(&mut answer).unwrap();
        (head, answer)
    }
}

impl Element {
    fn of(found: &Value) -> Self {
        Self(found[ELEMENT].as_str().unwrap().to_owned())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.talk("DELETE", &format!("/session/{}", self.session), "");
        }
        // It takes its Chromium along where the session has not ended.
        let pid = nix::unistd::Pid::from_raw(self.driver.id() as i32);
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.driver.wait();
    }
}
