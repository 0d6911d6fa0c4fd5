//! From the Compose file that developers have to the product that instances are made of.
//!
//! In: a project as it was loaded, the texts it was loaded from. Out: parameters, texts with variables in the place of literals, `product.yaml`.
//! **Invariant:** what is proposed reads as the same project: a literal becomes the default of its variable; a secret never stays in plain text; comments stay.
//! Not here: files, encryption, questions (the binary), what runs already (`escadre-render`).
//! Tests: `propose/tests.rs`.

mod copies;
mod edit;
mod flat;
mod groups;
mod literals;
mod named;
mod product;
mod template;
mod variables;

pub use copies::{Copy, Member, Together, together};
pub use edit::{Edit, Language, apply, extent, written};
pub use flat::{Flat, flatten};
pub use groups::{Services, common_name, groups, own_name, repository};
pub use literals::{Lifted, Proposal, Wish, propose};
pub use named::{For, named};
pub use product::{Parameter, Product, Size, type_of};
pub(crate) use variables::scan;
pub use variables::{Use, variables};

/// A name that a Compose variable can have, from any words.
pub fn variable_name(words: &str) -> String {
    let name: String =
        words.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

#[cfg(test)]
mod tests;
