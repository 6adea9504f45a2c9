//! Sealed fields as columns of `sqlx`: BLOB on SQLite, BYTEA on PostgreSQL. Bytes of no sealed
//! value's shape are refused as the row is read; whether they are authentic is known when opened.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::{Database, Decode, Encode, Type};

use super::Sealed;
use crate::sensitive::Sensitive;

macro_rules! column {
    ($field:ident) => {
        impl<T, DB: Database> Type<DB> for $field<T>
        where
            Vec<u8>: Type<DB>,
        {
            fn type_info() -> DB::TypeInfo {
                <Vec<u8> as Type<DB>>::type_info()
            }

            fn compatible(ty: &DB::TypeInfo) -> bool {
                <Vec<u8> as Type<DB>>::compatible(ty)
            }
        }

        impl<'q, T, DB: Database> Encode<'q, DB> for $field<T>
        where
            Vec<u8>: Encode<'q, DB>,
        {
            fn encode(
                self,
                buf: &mut <DB as Database>::ArgumentBuffer,
            ) -> Result<IsNull, BoxDynError> {
                self.into_bytes().encode(buf)
            }

            fn encode_by_ref(
                &self,
                buf: &mut <DB as Database>::ArgumentBuffer,
            ) -> Result<IsNull, BoxDynError> {
                self.as_bytes().to_vec().encode(buf)
            }
        }

        impl<'r, T, DB: Database> Decode<'r, DB> for $field<T>
        where
            Vec<u8>: Decode<'r, DB>,
        {
            fn decode(value: <DB as Database>::ValueRef<'r>) -> Result<Self, BoxDynError> {
                Ok(Self::try_from(<Vec<u8>>::decode(value)?)?)
            }
        }
    };
}
column!(Sealed);
column!(Sensitive);
