//! A reader of pickles that understands data and does nothing.
//!
//! A pickle is a program for a stack machine that builds objects by calling functions of its choice. Here the machine only
//! writes down what it is told: a call is a note of a function's name and its arguments. Whoever reads the notes (`torch`)
//! knows the few names that mean a tensor; everything else stays a note. Objects are indices into one list, so a value that
//! is used a million times costs a million indices, and nothing recurses.

use std::collections::HashMap;

/// Index of an object.
pub type Id = usize;

/// An object as the pickle describes it.
#[derive(Debug, Clone)]
pub enum Object {
    None,
    Int(i64),
    Bool(bool),
    /// A number that nothing here needs.
    Number,
    Text(String),
    Bytes,
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A function or class, by its full name.
    Global(String),
    /// A call of `function` with `arguments` (a tuple), and what was put into its result as into a dict.
    Call {
        function: Id,
        arguments: Id,
        items: Vec<(Id, Id)>,
    },
    /// A reference to something outside of the pickle.
    Persistent(Id),
}

/// A pickle that has been read.
pub struct Pickle {
    pub objects: Vec<Object>,
    /// What it gives.
    pub root: Id,
    /// Where it ends.
    pub end: usize,
}

impl Pickle {
    pub fn get(&self, id: Id) -> &Object {
        self.objects.get(id).unwrap_or(&Object::None)
    }

    pub fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Object::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn int(&self, id: Id) -> Option<i64> {
        match self.get(id) {
            Object::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// A truth value.
    pub fn truth(&self, id: Id) -> Option<bool> {
        match self.get(id) {
            Object::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The name and arguments of a call.
    pub fn call(&self, id: Id) -> Option<(&str, &[Id])> {
        match self.get(id) {
            Object::Call { function, arguments, .. } => Some((self.global(*function)?, self.tuple(*arguments)?)),
            _ => None,
        }
    }

    pub fn tuple(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Object::Tuple(items) | Object::List(items) => Some(items),
            _ => None,
        }
    }

    pub fn global(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Object::Global(name) => Some(name),
            _ => None,
        }
    }

    /// The items of a dict, or of a class of them such as `collections.OrderedDict`.
    pub fn items(&self, id: Id) -> Option<&[(Id, Id)]> {
        match self.get(id) {
            Object::Dict(items) => Some(items),
            Object::Call { function, items, .. }
                if self.global(*function).is_some_and(|name| name.ends_with("Dict")) =>
            {
                Some(items)
            }
            _ => None,
        }
    }
}

/// Reads the pickle at the start of `bytes`.
///
/// # Errors
/// What is wrong, and at which offset.
pub fn parse(bytes: &[u8]) -> Result<Pickle, String> {
    let mut machine =
        Machine { bytes, at: 0, objects: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
    loop {
        let (start, opcode) = (machine.at, machine.byte()?);
        if opcode == b'.' {
            let root = machine.pop()?;
            return Ok(Pickle { objects: machine.objects, root, end: machine.at });
        }
        machine.step(opcode).map_err(|problem| format!("{problem} (at byte {start} of its pickle)"))?;
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    objects: Vec<Object>,
    stack: Vec<Id>,
    /// Lengths of the stack where a group of items begins.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
}

impl<'a> Machine<'a> {
    fn take(&mut self, len: u64) -> Result<&'a [u8], String> {
        let end = usize::try_from(len).ok().and_then(|len| self.at.checked_add(len));
        let found = end.and_then(|end| self.bytes.get(self.at..end));
        let found = found.ok_or_else(|| format!("it ends in the middle: {len} more bytes were announced"))?;
        self.at += found.len();
        Ok(found)
    }

    fn byte(&mut self) -> Result<u8, String> {
        self.take(1)?.first().copied().ok_or_else(|| "it ends in the middle".into())
    }

    /// An unsigned little-endian number of `len` bytes, at most eight.
    fn number(&mut self, len: u64) -> Result<u64, String> {
        Ok(self.take(len)?.iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte)))
    }

    fn line(&mut self) -> Result<String, String> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let len = rest.iter().position(|byte| *byte == b'\n').ok_or("it ends in the middle of a line")?;
        let line = self.take(len as u64)?;
        self.at += 1;
        Ok(String::from_utf8_lossy(line).into_owned())
    }

    fn text(&mut self, len: u64) -> Result<(), String> {
        let text = String::from_utf8_lossy(self.take(len)?).into_owned();
        self.push(Object::Text(text))
    }

    fn skipped(&mut self, len: u64) -> Result<(), String> {
        self.take(len)?;
        self.push(Object::Bytes)
    }

    fn push(&mut self, object: Object) -> Result<(), String> {
        self.objects.push(object);
        self.stack.push(self.objects.len() - 1);
        Ok(())
    }

    fn pop(&mut self) -> Result<Id, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err("it takes something from an empty stack".into());
        }
        self.stack.pop().ok_or_else(|| "it takes something from an empty stack".into())
    }

    fn top(&self) -> Result<Id, String> {
        self.stack.last().copied().ok_or_else(|| "it needs something on an empty stack".into())
    }

    /// The items since the last mark.
    fn group(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().ok_or("it ends a group that was not begun")?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn pairs(items: &[Id]) -> Vec<(Id, Id)> {
        items.as_chunks::<2>().0.iter().map(|[key, value]| (*key, *value)).collect()
    }

    fn append(&mut self, items: &[Id]) -> Result<(), String> {
        let list = self.top()?;
        if let Some(Object::List(held)) = self.objects.get_mut(list) {
            held.extend_from_slice(items);
        }
        // Items of anything else do not matter here.
        Ok(())
    }

    fn insert(&mut self, items: &[Id]) -> Result<(), String> {
        let dict = self.top()?;
        if let Some(Object::Dict(held) | Object::Call { items: held, .. }) = self.objects.get_mut(dict) {
            held.extend(Self::pairs(items));
        }
        Ok(())
    }

    fn call(&mut self, function: Id, arguments: Id) -> Result<(), String> {
        self.push(Object::Call { function, arguments, items: Vec::new() })
    }

    fn remember(&mut self, key: u64) -> Result<(), String> {
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u64) -> Result<(), String> {
        let id = *self.memo.get(&key).ok_or_else(|| format!("it recalls number {key}, which it has not stored"))?;
        self.stack.push(id);
        Ok(())
    }

    fn tuple(&mut self, len: usize) -> Result<(), String> {
        let mut items = Vec::with_capacity(len);
        for _ in 0..len {
            items.push(self.pop()?);
        }
        items.reverse();
        self.push(Object::Tuple(items))
    }

    fn int(&mut self, text: &str) -> Result<(), String> {
        let object = match text {
            "00" => Object::Bool(false),
            "01" => Object::Bool(true),
            text => text.trim_end_matches('L').parse().map_or(Object::Number, Object::Int),
        };
        self.push(object)
    }

    /// A signed little-endian number of any length.
    fn long(&mut self, len: u64) -> Result<(), String> {
        let bytes = self.take(len)?;
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let object = match bytes.len() {
            0..=8 => {
                let fill = if negative { 0xFF } else { 0 };
                let mut all = [fill; 8];
                all.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
                Object::Int(i64::from_le_bytes(all))
            }
            // PyTorch's magic number is such a one; it is told by its bytes.
            _ => Object::Text(bytes.iter().rev().map(|byte| format!("{byte:02x}")).collect()),
        };
        self.push(object)
    }

    fn step(&mut self, opcode: u8) -> Result<(), String> {
        match opcode {
            // Protocol and frames.
            0x80 => self.take(1).map(drop),
            0x95 => self.take(8).map(drop),
            // Stack.
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => self.pop().map(drop),
            b'1' => self.group().map(drop),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
                Ok(())
            }
            // Memo.
            b'p' | b'g' => {
                let line = self.line()?;
                let key = line.trim().parse().map_err(|_| format!("`{line}` is no number"))?;
                if opcode == b'p' { self.remember(key) } else { self.recall(key) }
            }
            b'q' => self.number(1).and_then(|key| self.remember(key)),
            b'r' => self.number(4).and_then(|key| self.remember(key)),
            b'h' => self.number(1).and_then(|key| self.recall(key)),
            b'j' => self.number(4).and_then(|key| self.recall(key)),
            0x94 => self.remember(self.memo.len() as u64),
            // Numbers and constants.
            b'N' => self.push(Object::None),
            0x88 | 0x89 => self.push(Object::Bool(opcode == 0x88)),
            b'I' | b'L' => {
                let line = self.line()?;
                self.int(line.trim())
            }
            b'J' => {
                let n = self.number(4)? as u32;
                self.push(Object::Int(i64::from(n.cast_signed())))
            }
            b'K' => self.number(1).and_then(|n| self.push(Object::Int(n as i64))),
            b'M' => self.number(2).and_then(|n| self.push(Object::Int(n as i64))),
            0x8A => self.number(1).and_then(|len| self.long(len)),
            0x8B => self.number(4).and_then(|len| self.long(len)),
            b'F' => self.line().and_then(|_| self.push(Object::Number)),
            b'G' => self.take(8).and_then(|_| self.push(Object::Number)),
            // Texts and bytes.
            b'S' | b'V' => {
                let line = self.line()?;
                self.push(Object::Text(line.trim_matches(['\'', '"']).into()))
            }
            b'T' | b'X' => self.number(4).and_then(|len| self.text(len)),
            b'U' | 0x8C => self.number(1).and_then(|len| self.text(len)),
            0x8D => self.number(8).and_then(|len| self.text(len)),
            b'B' => self.number(4).and_then(|len| self.skipped(len)),
            b'C' => self.number(1).and_then(|len| self.skipped(len)),
            0x8E | 0x96 => self.number(8).and_then(|len| self.skipped(len)),
            // Collections.
            b')' => self.push(Object::Tuple(Vec::new())),
            b']' | 0x8F => self.push(Object::List(Vec::new())),
            b'}' => self.push(Object::Dict(Vec::new())),
            b't' => self.group().and_then(|items| self.push(Object::Tuple(items))),
            b'l' | 0x91 => self.group().and_then(|items| self.push(Object::List(items))),
            b'd' => self.group().and_then(|items| self.push(Object::Dict(Self::pairs(&items)))),
            0x85 => self.tuple(1),
            0x86 => self.tuple(2),
            0x87 => self.tuple(3),
            b'a' => self.pop().and_then(|item| self.append(&[item])),
            b'e' | 0x90 => self.group().and_then(|items| self.append(&items)),
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.insert(&[key, value])
            }
            b'u' => self.group().and_then(|items| self.insert(&items)),
            // Names and calls: written down, never made.
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Object::Global(format!("{module}.{name}")))
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (self.objects.get(module), self.objects.get(name)) {
                    (Some(Object::Text(module)), Some(Object::Text(name))) => {
                        let global = format!("{module}.{name}");
                        self.push(Object::Global(global))
                    }
                    _ => Err("a name is no text".into()),
                }
            }
            b'R' | 0x81 => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                self.call(function, arguments)
            }
            0x92 => {
                let (_, arguments, class) = (self.pop()?, self.pop()?, self.pop()?);
                self.call(class, arguments)
            }
            b'o' | b'i' => {
                if opcode == b'i' {
                    let (module, name) = (self.line()?, self.line()?);
                    self.group()?;
                    self.push(Object::Global(format!("{module}.{name}")))?;
                } else {
                    let class = *self.group()?.first().ok_or("a class is missing")?;
                    self.stack.push(class);
                }
                self.push(Object::Tuple(Vec::new()))?;
                let (arguments, class) = (self.pop()?, self.pop()?);
                self.call(class, arguments)
            }
            // The state of an object, such as the metadata of a state dict.
            b'b' => self.pop().map(drop),
            b'Q' => self.pop().and_then(|id| self.push(Object::Persistent(id))),
            b'P' => {
                let line = self.line()?;
                self.push(Object::Text(line))?;
                let id = self.pop()?;
                self.push(Object::Persistent(id))
            }
            other => Err(format!("byte {other:#04x} is no instruction that a state dict needs")),
        }
    }
}
