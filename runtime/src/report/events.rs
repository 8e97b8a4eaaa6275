//! TensorBoard's event files: protocol buffers of a few fields, each in a frame with two checksums.
//!
//! The messages are TensorFlow's (`event.proto`, `summary.proto`), as far as a curve takes them. `prost` derives their encoding from the
//! numbers beside the fields, so no compiler for protocol buffers is needed where this crate is built.

use super::{ReportError, failed};
use crate::train::{Callback, CallbackError, Event, Flow, Run};
use crc::{CRC_32_ISCSI, Crc};
use prost::Message;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// Writes curves for TensorBoard: `tensorboard --logdir FOLDER`.
#[derive(Debug)]
pub struct TensorBoard {
    folder: PathBuf,
    path: PathBuf,
    file: Option<File>,
}

/// Steps between two points of a curve over steps.
const EVERY: u64 = 10;

impl TensorBoard {
    /// Into this folder; each session of a run has a file of its own.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        TensorBoard { folder: folder.into(), path: PathBuf::new(), file: None }
    }

    fn open(&mut self, step: u64) -> Result<(), ReportError> {
        let (now, pid) = (now(), std::process::id());
        self.path = self.folder.join(format!("events.out.tfevents.{:.0}.{pid}.convnet", now * 1e3));
        self.file = Some(File::create(&self.path).map_err(failed(&self.path))?);
        self.write(&Record { wall_time: now, file_version: Some("brain.Event:2".into()), ..Record::default() })?;
        // A session starts: what another one has shown after this step is dropped.
        let session_log = Some(SessionLog { status: SESSION_START });
        self.write(&Record { wall_time: now, step, session_log, ..Record::default() })
    }

    fn write(&mut self, event: &Record) -> Result<(), ReportError> {
        match &mut self.file {
            Some(file) => file.write_all(&frame(&event.encode_to_vec())).map_err(failed(&self.path)),
            None => Ok(()),
        }
    }

    fn scalars(&mut self, step: u64, values: &[(&str, f64)]) -> Result<(), ReportError> {
        let value = |(tag, x): &(&str, f64)| Value { tag: tag.to_string(), simple_value: Some(*x as f32) };
        let summary = Some(Summary { value: values.iter().map(value).collect() });
        self.write(&Record { wall_time: now(), step, summary, ..Record::default() })
    }
}

impl Callback for TensorBoard {
    fn on(&mut self, event: Event<'_>, run: &Run<'_>) -> Result<Flow, CallbackError> {
        let step = run.progress.step;
        match event {
            Event::Start => self.open(step)?,
            Event::Step(info) if step.is_multiple_of(EVERY) || step == 1 => {
                let rate = info.images as f64 / info.seconds.max(1e-9);
                let mut values = vec![("train/loss", info.loss), ("lr", info.lr), ("images_per_second", rate)];
                values.extend(info.grad_norm.map(|norm| ("train/gradient_norm", norm)));
                self.scalars(step, &values)?;
            }
            Event::Epoch(epoch) => {
                let tag = |name: &str| match name.strip_prefix("test_") {
                    Some(name) => format!("test/{name}"),
                    None => format!("train/{name}"),
                };
                let metrics: Vec<(String, f64)> = epoch.metrics.iter().map(|(name, x)| (tag(name), *x)).collect();
                let metrics = metrics.iter().map(|(tag, x)| (tag.as_str(), *x));
                self.scalars(step, &metrics.chain([("test/loss", epoch.test_loss)]).collect::<Vec<_>>())?;
            }
            _ => {}
        }
        Ok(Flow::Continue)
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// An `Event`, with one of the three last fields.
#[derive(Clone, PartialEq, Message)]
struct Record {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(uint64, tag = "2")]
    step: u64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session_log: Option<SessionLog>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// `SessionLog.START`.
const SESSION_START: i32 = 1;

/// A record of a TFRecord file.
fn frame(content: &[u8]) -> Vec<u8> {
    const CASTAGNOLI: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
    // Masked, since a checksum over data that holds checksums is weak.
    let checksum = |bytes: &[u8]| CASTAGNOLI.checksum(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes();
    let len = (content.len() as u64).to_le_bytes();
    [&len[..], &checksum(&len), content, &checksum(content)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_those_of_tensorflow() {
        // tensorboard.summary.writer.record_writer.RecordWriter.write(b"abc")
        let expected = [3, 0, 0, 0, 0, 0, 0, 0, 176, 153, 73, 14, 97, 98, 99, 110, 87, 241, 33];
        assert_eq!(frame(b"abc"), expected);
    }

    #[test]
    fn events_are_those_of_tensorflow() {
        // tensorboard.compat.proto.event_pb2.Event(wall_time=1.5, step=300, summary=Summary(value=[Summary.Value(tag="a",
        // simple_value=0.0)])).SerializeToString()
        let summary = Some(Summary { value: vec![Value { tag: "a".into(), simple_value: Some(0.0) }] });
        let event = Record { wall_time: 1.5, step: 300, summary, ..Record::default() };
        let expected = [
            0x09, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0x10, 0xac, 0x02, 0x2a, 0x0a, 0x0a, 0x08, 0x0a, 0x01, b'a', 0x15, 0, 0,
            0, 0,
        ];
        assert_eq!(event.encode_to_vec(), expected);
        // Event(wall_time=1.5, session_log=SessionLog(status=SessionLog.START)).SerializeToString()
        let session_log = Some(SessionLog { status: SESSION_START });
        let event = Record { wall_time: 1.5, session_log, ..Record::default() };
        assert_eq!(event.encode_to_vec(), [0x09, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0x3a, 0x02, 0x08, 0x01]);
    }
}
