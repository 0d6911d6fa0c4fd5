//! A value as bytes to be hashed: shorter and faster than JSON, where nobody reads them.
//!
//! In: anything that can be serialised. Out: bytes; two values of one type have the same only if they are equal.
//! **Invariant:** every length and choice is written before what it is about, so that no two sequences of parts run into each other; a field that a type
//! leaves out when it is empty still has its place.
//! Not here: hashes that are kept beyond a version, which are over JSON (`Hash::of_json`): these bytes change with every field that a type gets.
//! Tests: `tests.rs`.

use serde::ser::{
    Error as _, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use std::fmt;

/// The bytes of a value.
pub(super) fn of(value: &impl Serialize) -> Result<Vec<u8>, Failed> {
    let mut bytes = Bytes(Vec::with_capacity(1 << 10));
    value.serialize(&mut bytes)?;
    Ok(bytes.0)
}

/// A type could not be serialised, in its own words.
#[derive(Debug)]
pub(super) struct Failed(pub(super) String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for Failed {}
impl serde::ser::Error for Failed {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

struct Bytes(Vec<u8>);

/// What comes next in a sequence of unknown length.
const MORE: u8 = 1;
const END: u8 = 0;

impl Bytes {
    fn number(&mut self, mut number: u64) {
        // Seven bits a byte, the last one without a sign that more follow.
        while number >= 0x80 {
            self.0.push(0x80 | u8::try_from(number & 0x7f).unwrap_or(0));
            number >>= 7;
        }
        self.0.push(u8::try_from(number).unwrap_or(0));
    }

    fn text(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn more(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Failed> {
        self.0.push(MORE);
        value.serialize(self)
    }
}

macro_rules! numbers {
    ($($method:ident: $type:ty),*) => {$(
        fn $method(self, value: $type) -> Result<(), Failed> {
            self.0.extend_from_slice(&value.to_le_bytes());
            Ok(())
        }
    )*};
}

impl Serializer for &mut Bytes {
    type Ok = ();
    type Error = Failed;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    numbers!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_u8: u8, serialize_u16: u16);
    numbers!(serialize_f32: f32, serialize_f64: f64);

    fn serialize_u32(self, value: u32) -> Result<(), Failed> {
        self.serialize_u64(u64::from(value))
    }
    fn serialize_u64(self, value: u64) -> Result<(), Failed> {
        self.number(value);
        Ok(())
    }
    fn serialize_bool(self, value: bool) -> Result<(), Failed> {
        self.serialize_u8(u8::from(value))
    }
    fn serialize_char(self, value: char) -> Result<(), Failed> {
        self.serialize_u32(u32::from(value))
    }
    fn serialize_str(self, value: &str) -> Result<(), Failed> {
        self.text(value.as_bytes());
        Ok(())
    }
    fn serialize_bytes(self, value: &[u8]) -> Result<(), Failed> {
        self.text(value);
        Ok(())
    }
    fn serialize_none(self) -> Result<(), Failed> {
        self.serialize_u8(END)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Failed> {
        self.more(value)
    }
    fn serialize_unit(self) -> Result<(), Failed> {
        Ok(())
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Failed> {
        Ok(())
    }
    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Result<(), Failed> {
        self.serialize_u32(index)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Failed> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Failed> {
        self.number(u64::from(index));
        value.serialize(self)
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Self, Failed> {
        Ok(self)
    }
    fn serialize_tuple(self, _: usize) -> Result<Self, Failed> {
        Ok(self)
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Failed> {
        Ok(self)
    }
    fn serialize_tuple_variant(self, _: &'static str, index: u32, _: &'static str, _: usize) -> Result<Self, Failed> {
        self.number(u64::from(index));
        Ok(self)
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Self, Failed> {
        Ok(self)
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Failed> {
        Ok(self)
    }
    fn serialize_struct_variant(self, _: &'static str, index: u32, _: &'static str, _: usize) -> Result<Self, Failed> {
        self.number(u64::from(index));
        Ok(self)
    }
    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), Failed> {
        self.serialize_str(&value.to_string())
    }
    fn is_human_readable(&self) -> bool {
        // Types that have two forms are hashed in the one that people and JSON see.
        true
    }
    fn serialize_i128(self, _: i128) -> Result<(), Failed> {
        Err(Failed::custom("there is no number of 128 bits in what is hashed"))
    }
}

impl SerializeSeq for &mut Bytes {
    type Ok = ();
    type Error = Failed;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        self.more(value)
    }
    fn end(self) -> Result<(), Failed> {
        self.serialize_u8(END)
    }
}

impl SerializeMap for &mut Bytes {
    type Ok = ();
    type Error = Failed;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failed> {
        self.more(key)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        value.serialize(&mut **self)
    }
    fn end(self) -> Result<(), Failed> {
        self.serialize_u8(END)
    }
}

/// Parts whose number the type says.
macro_rules! parts {
    ($($trait:ident::$method:ident),*) => {$(
        impl $trait for &mut Bytes {
            type Ok = ();
            type Error = Failed;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
                value.serialize(&mut **self)
            }
            fn end(self) -> Result<(), Failed> {
                Ok(())
            }
        }
    )*};
}
parts!(
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

/// Fields, each of which may be left out.
macro_rules! fields {
    ($($trait:ident),*) => {$(
        impl $trait for &mut Bytes {
            type Ok = ();
            type Error = Failed;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Result<(), Failed> {
                self.more(value)
            }
            fn skip_field(&mut self, _: &'static str) -> Result<(), Failed> {
                self.serialize_u8(END)
            }
            fn end(self) -> Result<(), Failed> {
                Ok(())
            }
        }
    )*};
}
fields!(SerializeStruct, SerializeStructVariant);
