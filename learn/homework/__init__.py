"""`verify`: what learners handed in is judged, in a sandbox."""
