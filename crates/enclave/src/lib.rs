//! What runs inside the trusted unit: fetches a session's stages, prepares inputs, closes and signs the result.
