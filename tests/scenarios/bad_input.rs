//! What a browser or a provider can send that makes no sense: the table's answer, and never a panic, a hang, half a
//! session or a token in the output.

mod browser;
mod provider_answers;
mod slow;
