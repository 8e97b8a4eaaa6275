//! A text that rustc can put together while it evaluates constants, where there is no memory to be had.

/// A text of bounded length; what is beyond is left out.
pub struct Message {
    bytes: [u8; Message::MOST],
    len: usize,
}

impl Message {
    const MOST: usize = 4096;
    /// Bytes of a name that are shown; files of others may have names of any length.
    const NAME: usize = 100;

    pub const fn new() -> Self {
        Message { bytes: [0; Message::MOST], len: 0 }
    }

    pub const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            Err(_) => "",
        }
    }

    /// Adds a text.
    pub const fn add(&mut self, text: &str) {
        let (kept, mut i) = (whole(text.as_bytes(), Message::MOST - self.len), 0);
        while i < kept {
            self.bytes[self.len] = text.as_bytes()[i];
            self.len += 1;
            i += 1;
        }
    }

    /// Adds a name, the first part of it if it is very long.
    pub const fn name(&mut self, name: &str) {
        let kept = whole(name.as_bytes(), Message::NAME);
        self.add(name.split_at(kept).0);
        if kept < name.len() {
            self.add("...");
        }
    }

    /// Adds a number.
    pub const fn number(&mut self, number: usize) {
        if number >= 10 {
            self.number(number / 10);
        }
        self.add(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"][number % 10]);
    }

    /// Adds a shape: `[6, 1, 5, 5]`.
    pub const fn shape(&mut self, shape: &[usize]) {
        self.add("[");
        let mut i = 0;
        while i < shape.len() {
            self.add(if i == 0 { "" } else { ", " });
            self.number(shape[i]);
            i += 1;
        }
        self.add("]");
    }
}

/// How many of the first bytes of a text are whole characters and at most so many.
const fn whole(text: &[u8], most: usize) -> usize {
    if text.len() <= most {
        return text.len();
    }
    let mut kept = most;
    // A character's further bytes are 10xxxxxx.
    while kept > 0 && text[kept] & 0xC0 == 0x80 {
        kept -= 1;
    }
    kept
}
