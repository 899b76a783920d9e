//! Malformed input from browsers and providers. Each gets the answer of the design's table. None causes a
//! panic, a hang, an unusable session, or a token in the output.

mod browser;
mod provider_answers;
mod slow;
