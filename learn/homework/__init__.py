"""`verify`: what learners handed in is judged anew, in a sandbox."""
