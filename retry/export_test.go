package retry

// Skip pretends that n more attempts have failed, so that tests reach attempts
// that nobody could wait for.
func (s *Schedule) Skip(n int) { s.attempts += n }
