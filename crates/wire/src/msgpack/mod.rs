//! MessagePack as Go nodes speak it (spec section 1).
//!
//! [`Writer`] emits what every Go decoder accepts: shortest integers, unsigned where they are not
//! negative, and the old "raw" spelling of strings and bytes, or the newer str/bin one of the agent's
//! RPC. [`Reader`] accepts all that Go accepts: any width and sign, raw, str and bin alike, nil for
//! anything, structures as maps or as arrays.

mod reader;
mod writer;

pub use reader::{ReadError, Reader, Short};
pub use writer::{Dialect, Writer};
