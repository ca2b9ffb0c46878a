//! Types that read JSON of a certain form and keep nothing of it.
//!
//! Each accepts what the type that it stands for accepts, and no more: `serde::de::IgnoredAny` would take anything.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// Stands for a text or a name.
#[derive(Clone, Copy)]
pub(super) struct Text;

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AText;
        impl Visitor<'_> for AText {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: Error>(self, _: &str) -> Result<Text, E> {
                Ok(Text)
            }
        }
        deserializer.deserialize_str(AText)
    }
}

impl From<Text> for String {
    fn from(_: Text) -> Self {
        Self::new()
    }
}

/// Stands for an `Option`.
#[derive(Clone, Copy)]
pub(super) struct Maybe<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<T>::deserialize(deserializer).map(|_| Self::default())
    }
}

impl<T> Default for Maybe<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl From<Maybe<Text>> for Option<String> {
    fn from(_: Maybe<Text>) -> Self {
        None
    }
}

/// Stands for a list.
#[derive(Clone, Copy)]
pub(super) struct Many<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AList<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for AList<T> {
            type Value = Many<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Many<T>, A::Error> {
                while list.next_element::<T>()?.is_some() {}
                Ok(Many::default())
            }
        }
        deserializer.deserialize_seq(AList(PhantomData))
    }
}

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> From<Many<T>> for Vec<U> {
    fn from(_: Many<T>) -> Self {
        Self::new()
    }
}

/// Stands for a map of texts to texts.
#[derive(Clone, Copy)]
pub(super) struct Pairs;

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AMap;
        impl<'de> Visitor<'de> for AMap {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                while map.next_entry::<Text, Text>()?.is_some() {}
                Ok(Pairs)
            }
        }
        deserializer.deserialize_map(AMap)
    }
}

/// Stands for any JSON.
pub(super) type Any = Json<true>;

/// Stands for JSON that is no list and no map.
pub(super) type Scalar = Json<false>;

/// Stands for JSON; only where `DEEP` for lists and maps, too.
#[derive(Clone, Copy)]
pub(super) struct Json<const DEEP: bool>;

impl<'de, const DEEP: bool> Deserialize<'de> for Json<DEEP> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de, const DEEP: bool> Visitor<'de> for Json<DEEP> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if DEEP { "JSON" } else { "null, a boolean, a number or a text" })
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self, A::Error> {
        if !DEEP {
            return Err(A::Error::invalid_type(Unexpected::Seq, &self));
        }
        while list.next_element::<Any>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        if !DEEP {
            return Err(A::Error::invalid_type(Unexpected::Map, &self));
        }
        while map.next_entry::<Text, Any>()?.is_some() {}
        Ok(self)
    }
}
