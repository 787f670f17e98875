// Package actors runs one actor per key. It knows nothing of resilience: what an actor keeps and does is a [Behavior].
//
// # What an actor is
//
// A key has a [Cell] and, when there is something to do, an actor: a goroutine that takes messages from a bounded mailbox one
// at a time and gives each a turn. The actor is the one writer of the key's state. It starts with the first message and leaves
// (passivation) when nothing is owed and nobody has called for a while, and at once when what the cell has published says it
// all; until then what it knew stays in the cell. A cell whose state equals that of a new actor is forgotten (eviction), which
// nobody can notice.
//
// # What is promised
//
//   - A message that [System.Send] accepted is processed exactly once: by a turn, or by Behavior.Refuse. A message that it
//     did not accept is not processed at all.
//   - There are never two actors for one key, also while one retires and its successor is born.
//   - A turn that panics costs its own message and what the state owed at that moment. The state is set back to what it was
//     before the turn, the actor goes on, and the process never goes down. An actor that panics more often than its budget
//     allows refuses all messages for a while.
//   - Close ends every goroutine. What is still queued is refused, never lost.
//
// # How retiring loses nothing
//
// The mailbox counts a put before the message enters the channel, so that it can be closed if and only if nothing is in it
// or on its way. An actor leaves by closing its mailbox that way; if it cannot, it stays. Whoever finds a mailbox closed
// takes the lifecycle lock, under which actors start, leave and retire, and there finds the actor gone, a new one, or the
// cell retired; in the last case it looks the key up again. Messages and turns never touch that lock.
package actors
