//! Tokens: what a JWT of ours says, how it is signed and verified, and which were revoked. Pure: time is passed in.
