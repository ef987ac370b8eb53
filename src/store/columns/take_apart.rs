//! A serializer that takes a struct apart: each field is a cell of the column that bears its name.

use std::fmt::{self, Write as _};

use serde::{
    Serialize, Serializer,
    ser::{Impossible, SerializeStruct},
};

use super::Cells;

type Never = Impossible<(), fmt::Error>;
type Done = Result<(), fmt::Error>;

/// Takes one row of so many.
pub(super) struct RowOf<'a>(
    pub(super) &'a mut Vec<(&'static str, Cells)>,
    pub(super) usize,
);

/// The fields of a row of so many.
pub(super) struct Fields<'a> {
    columns: &'a mut Vec<(&'static str, Cells)>,
    rows: usize,
    /// The column of the next field.
    next: usize,
}

/// Takes one value.
struct CellOf<'a>(&'a mut Cells, usize);

impl SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = fmt::Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
        if self.next == self.columns.len() {
            self.columns.push((name, Cells::Nulls(0)));
        }
        let (of, cells) = &mut self.columns[self.next];
        debug_assert_eq!(*of, name, "every row has every field");
        self.next += 1;
        value.serialize(CellOf(cells, self.rows))
    }

    fn end(self) -> Done {
        Ok(())
    }
}

/// What no row is, and no cell.
macro_rules! refused {
    ($($name:ident($($type:ty),*) -> $answer:ty;)+) => {
        $(fn $name(self, $(_: $type),*) -> Result<$answer, fmt::Error> { Err(fmt::Error) })+
    };
}
macro_rules! refused_by_both {
    () => {
        type Ok = ();
        type Error = fmt::Error;
        type SerializeSeq = Never;
        type SerializeTuple = Never;
        type SerializeTupleStruct = Never;
        type SerializeTupleVariant = Never;
        type SerializeMap = Never;
        type SerializeStructVariant = Never;

        refused! {
            serialize_f32(f32) -> ();
            serialize_f64(f64) -> ();
            serialize_u64(u64) -> ();
            serialize_char(char) -> ();
            serialize_bytes(&[u8]) -> ();
            serialize_unit() -> ();
            serialize_unit_struct(&'static str) -> ();
            serialize_unit_variant(&'static str, u32, &'static str) -> ();
            serialize_seq(Option<usize>) -> Never;
            serialize_tuple(usize) -> Never;
            serialize_tuple_struct(&'static str, usize) -> Never;
            serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Never;
            serialize_map(Option<usize>) -> Never;
            serialize_struct_variant(&'static str, u32, &'static str, usize) -> Never;
        }

        fn serialize_newtype_struct<T: Serialize + ?Sized>(
            self,
            _: &'static str,
            value: &T,
        ) -> Done {
            value.serialize(self)
        }

        fn serialize_newtype_variant<T: Serialize + ?Sized>(
            self,
            _: &'static str,
            _: u32,
            _: &'static str,
            _: &T,
        ) -> Done {
            Err(fmt::Error)
        }
    };
}

impl<'a> Serializer for RowOf<'a> {
    type SerializeStruct = Fields<'a>;

    refused_by_both!();

    refused! {
        serialize_bool(bool) -> ();
        serialize_i8(i8) -> ();
        serialize_i16(i16) -> ();
        serialize_i32(i32) -> ();
        serialize_i64(i64) -> ();
        serialize_u8(u8) -> ();
        serialize_u16(u16) -> ();
        serialize_u32(u32) -> ();
        serialize_str(&str) -> ();
        serialize_none() -> ();
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Done {
        Err(fmt::Error)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'a>, fmt::Error> {
        Ok(Fields {
            columns: self.0,
            rows: self.1,
            next: 0,
        })
    }
}

macro_rules! numbers {
    ($($name:ident($type:ty))+) => {
        $(fn $name(self, value: $type) -> Done {
            self.0.number(self.1, value.into());
            Ok(())
        })+
    };
}

impl Serializer for CellOf<'_> {
    type SerializeStruct = Never;

    refused_by_both!();

    refused! {
        serialize_struct(&'static str, usize) -> Never;
    }

    numbers! {
        serialize_i8(i8)
        serialize_i16(i16)
        serialize_i32(i32)
        serialize_i64(i64)
        serialize_u8(u8)
        serialize_u16(u16)
        serialize_u32(u32)
    }

    fn serialize_bool(self, value: bool) -> Done {
        self.0.flag(self.1, value);
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Done {
        self.0.text(self.1, |text| text.push_str(value));
        Ok(())
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Done {
        self.0.text(self.1, |text| {
            let _ = write!(text, "{value}");
        });
        Ok(())
    }

    fn serialize_none(self) -> Done {
        self.0.null();
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }
}
