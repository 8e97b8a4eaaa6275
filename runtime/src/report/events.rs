//! TensorBoard's event files: protocol buffers of a few fields, each in a frame with two checksums.
//!
//! The four messages that a curve takes are encoded here by hand: a generator of code for them would need a compiler for
//! protocol buffers on every machine that builds this crate.

use super::{ReportError, failed};
use crate::train::{Callback, CallbackError, Event, Flow, Run};
use crc::{CRC_32_ISCSI, Crc};
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
        self.write(&event(now, 0, &string(3, "brain.Event:2")))?;
        // A session starts: what another one has shown after this step is dropped.
        self.write(&event(now, step, &bytes(7, &number(1, 1))))
    }

    fn write(&mut self, event: &[u8]) -> Result<(), ReportError> {
        match &mut self.file {
            Some(file) => file.write_all(&frame(event)).map_err(failed(&self.path)),
            None => Ok(()),
        }
    }

    fn scalars(&mut self, step: u64, values: &[(&str, f64)]) -> Result<(), ReportError> {
        let value = |(tag, x): &(&str, f64)| bytes(1, &[string(1, tag), float(2, *x as f32)].concat());
        let summary: Vec<u8> = values.iter().flat_map(value).collect();
        self.write(&event(now(), step, &bytes(5, &summary)))
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
            Event::Epoch(epoch) => self.scalars(
                step,
                &[
                    ("train/accuracy", epoch.accuracy),
                    ("test/loss", epoch.test_loss),
                    ("test/accuracy", epoch.test_accuracy),
                ],
            )?,
            _ => {}
        }
        Ok(Flow::Continue)
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// An event at a time and a step.
fn event(time: f64, step: u64, what: &[u8]) -> Vec<u8> {
    [&[1 << 3 | 1][..], &time.to_le_bytes(), &number(2, step), what].concat()
}

/// A variable-length number.
fn varint(mut n: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while n >= 0x80 {
        bytes.push(n as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
    bytes
}

fn number(field: u8, n: u64) -> Vec<u8> {
    [&[field << 3][..], &varint(n)].concat()
}

fn float(field: u8, x: f32) -> Vec<u8> {
    [&[field << 3 | 5][..], &x.to_le_bytes()].concat()
}

fn bytes(field: u8, content: &[u8]) -> Vec<u8> {
    [&[field << 3 | 2][..], &varint(content.len() as u64), content].concat()
}

fn string(field: u8, text: &str) -> Vec<u8> {
    bytes(field, text.as_bytes())
}

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
    fn numbers_are_those_of_protocol_buffers() {
        assert_eq!(varint(0), [0]);
        assert_eq!(varint(300), [0xac, 0x02]);
        assert_eq!(bytes(5, &string(1, "a")), [0x2a, 3, 0x0a, 1, b'a']);
        assert_eq!(float(2, 1.0), [0x15, 0, 0, 0x80, 0x3f]);
    }
}
