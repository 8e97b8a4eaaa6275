//! A small client of rust-analyzer: JSON over its standard input and output, as an editor sends it, one request at a time.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// The longest that an answer may take, on a machine with much else to do: the first one waits for all crates to be read.
const PATIENCE: Duration = Duration::from_secs(900);

/// A running rust-analyzer.
pub struct Server {
    process: Child,
    messages: Receiver<Value>,
    requests: u64,
}

impl Server {
    /// Starts it in the folder of a crate; none where it is not installed. Crates are built into `target`.
    pub fn start(folder: &Path, target: &Path) -> Option<Server> {
        let there = Command::new("rust-analyzer").arg("--version").output().is_ok_and(|output| output.status.success());
        if !there {
            return None;
        }
        let mut process = Command::new("rust-analyzer")
            .current_dir(folder)
            .env("CARGO_TARGET_DIR", target)
            .env("CARGO_NET_OFFLINE", "true")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            while let Some(message) = received(&mut output) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let mut server = Server { process, messages, requests: 0 };
        let root = format!("file://{}", folder.display());
        server.request(
            "initialize",
            &json!({
                "processId": std::process::id(),
                "rootUri": root,
                "capabilities": {
                    "textDocument": { "hover": { "contentFormat": ["markdown"] } },
                    "experimental": { "serverStatusNotification": true },
                },
                // What would only warm up, or run cargo once more.
                "initializationOptions": { "checkOnSave": false, "cachePriming": { "enable": false } },
            }),
        );
        server.notify("initialized", &json!({}));
        while server.next()["params"]["quiescent"] != json!(true) {}
        Some(server)
    }

    /// Opens a file.
    pub fn open(self, path: &Path) -> Document {
        let text = std::fs::read_to_string(path).unwrap();
        let mut document = Document { server: self, uri: format!("file://{}", path.display()), text, version: 0 };
        let item = json!({ "uri": document.uri, "languageId": "rust", "version": 0, "text": document.text });
        document.server.notify("textDocument/didOpen", &json!({ "textDocument": item }));
        document
    }

    /// What it answers to a request. While it reads a change, it asks to be asked again.
    fn request(&mut self, method: &str, params: &Value) -> Value {
        loop {
            self.requests += 1;
            self.send(&json!({ "jsonrpc": "2.0", "id": self.requests, "method": method, "params": params }));
            let answer = loop {
                let message = self.next();
                if message["id"] == json!(self.requests) && message.get("method").is_none() {
                    break message;
                }
            };
            match answer["error"]["code"].as_i64() {
                None => return answer["result"].clone(),
                Some(-32801 | -32802) => std::thread::sleep(Duration::from_millis(20)),
                Some(_) => panic!("{method}: {answer}"),
            }
        }
    }

    fn notify(&mut self, method: &str, params: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        let input = self.process.stdin.as_mut().unwrap();
        write!(input, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        input.flush().unwrap();
    }

    /// The next message. Its own requests, about progress and the like, are granted.
    fn next(&mut self) -> Value {
        let message = self.messages.recv_timeout(PATIENCE).expect("rust-analyzer said nothing for a long time");
        if let (Some(id), Some(_)) = (message.get("id"), message.get("method")) {
            self.send(&json!({ "jsonrpc": "2.0", "id": id, "result": null }));
        }
        message
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn received(output: &mut BufReader<ChildStdout>) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        output.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim().strip_prefix("Content-Length: ") {
            Some(number) => length = number.parse().ok()?,
            None if line.trim().is_empty() => break,
            None => {}
        }
    }
    let mut text = vec![0; length];
    output.read_exact(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// An open file. Places in it are given by a piece of its text with `|` where the cursor is.
pub struct Document {
    server: Server,
    uri: String,
    text: String,
    version: u64,
}

impl Document {
    /// What is shown at a place.
    pub fn hover(&mut self, place: &str) -> String {
        let at = self.at(place);
        let answer = self.server.request("textDocument/hover", &at);
        answer["contents"]["value"].as_str().unwrap_or_default().to_string()
    }

    /// The lines of this file, counted from 1, that hold what is declared under the name at a place.
    pub fn definitions(&mut self, place: &str) -> Vec<usize> {
        let at = self.at(place);
        let answer = self.server.request("textDocument/definition", &at);
        let here = answer.as_array().into_iter().flatten().filter(|target| target["uri"] == json!(self.uri));
        here.filter_map(|target| target["range"]["start"]["line"].as_u64()).map(|line| line as usize + 1).collect()
    }

    /// Writes `new` in place of `old`, says what could be written at its cursor (`|`), and undoes that.
    pub fn completed(&mut self, old: &str, new: &str) -> Vec<String> {
        let cursor = new.find('|').expect("a cursor");
        let written = new.replacen('|', "", 1);
        let start = self.edit(old, &written);
        let found = self.completions(start + cursor);
        self.write(start, &written, old);
        found
    }

    fn completions(&mut self, at: usize) -> Vec<String> {
        let at = self.place(at);
        let answer = self.server.request("textDocument/completion", &at);
        let items = answer.get("items").unwrap_or(&answer).as_array();
        items.into_iter().flatten().filter_map(|item| item["label"].as_str()).map(String::from).collect()
    }

    /// The lines, counted from 1, that change if the name at a place becomes another one.
    pub fn renamed(&mut self, place: &str, name: &str) -> Vec<usize> {
        let mut at = self.at(place);
        at["newName"] = json!(name);
        let answer = self.server.request("textDocument/rename", &at);
        let files = answer["documentChanges"].as_array().into_iter().flatten();
        let edits = files.filter(|file| file["textDocument"]["uri"] == json!(self.uri));
        let edits = edits.flat_map(|file| file["edits"].as_array().into_iter().flatten());
        let mut lines: Vec<usize> =
            edits.filter_map(|edit| edit["range"]["start"]["line"].as_u64()).map(|line| line as usize + 1).collect();
        lines.sort_unstable();
        lines
    }

    /// Writes `new` in place of the first `old`, and says where that was.
    pub fn edit(&mut self, old: &str, new: &str) -> usize {
        let start = self.text.find(old).unwrap_or_else(|| panic!("{old} is not in the file"));
        self.write(start, old, new);
        start
    }

    /// Writes `new` in place of `old`, which starts there, as one does who types.
    pub fn write(&mut self, start: usize, old: &str, new: &str) {
        let range = json!({ "start": self.position(start), "end": self.position(start + old.len()) });
        self.text.replace_range(start..start + old.len(), new);
        self.version += 1;
        let params = json!({
            "textDocument": { "uri": self.uri, "version": self.version },
            "contentChanges": [{ "range": range, "text": new }],
        });
        self.server.notify("textDocument/didChange", &params);
    }

    /// The line, counted from 1, of a piece of text.
    pub fn line(&self, piece: &str) -> usize {
        let start = self.text.find(piece).unwrap_or_else(|| panic!("{piece} is not in the file"));
        self.text[..start].lines().count() + usize::from(self.text[..start].ends_with('\n') || start == 0)
    }

    fn at(&self, place: &str) -> Value {
        let cursor = place.find('|').expect("a cursor");
        let piece = place.replacen('|', "", 1);
        let start = self.text.find(&piece).unwrap_or_else(|| panic!("{piece} is not in the file"));
        self.place(start + cursor)
    }

    fn place(&self, at: usize) -> Value {
        json!({ "textDocument": { "uri": self.uri }, "position": self.position(at) })
    }

    /// The file is ASCII.
    fn position(&self, at: usize) -> Value {
        let before = &self.text[..at];
        json!({ "line": before.matches('\n').count(), "character": at - before.rfind('\n').map_or(0, |end| end + 1) })
    }
}
