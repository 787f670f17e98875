// Package actors runs one actor per key. The package knows nothing of resilience: a [Behavior] says
// what an actor keeps and does.
//
// # Actors
//
// A key has a [Cell] and, while there is something to do, an actor: a goroutine that takes messages
// from a bounded mailbox and gives each message a turn. Only the actor writes the key's state. The
// actor starts with the first message. When no wake is to come and the mailbox is empty, the actor
// leaves (passivation), and the state is parked in the cell. An actor that is started often lingers
// for a while; at most 1,024 actors linger at a time. A cell whose state equals that of a new actor
// is forgotten (eviction). No caller can notice that.
//
// With a [Driver] in [Config] there are no goroutines: a simulation runs the same actors step by
// step, in an order of its choice.
//
// # Words
//
//   - cell: stands for one key until the cell retires; a key that comes back has another cell.
//   - turn: the processing of one message, or of one wake. A wake is a turn for which the state
//     asked.
//   - order: an element of a mailbox that tells an actor to leave or to stop.
//   - clean: equal to a new key.
//   - leave: the actor closes its empty mailbox and is gone; the cell stays.
//   - note: the mark of an actor that has left; the next holder of the lifecycle lock takes note.
//   - parked: the state that a key's last actor left in the cell.
//   - linger: to stay although nothing is to come, in one of the seats.
//   - retire: the cell no longer stands for its key, since the cell was forgotten or spilled.
//   - forget (evict): to retire a cell that is clean.
//   - spill: to retire a cell that is not clean, for want of room.
//   - held: a wake is to come, or the rank for being spilled is Never. A held key is not spilled.
//   - set aside: a held cell that searches for room do not come by.
//   - slab: the cells at rest, of running actors, or set aside.
//   - sweep: the supervisor's look at every cell.
//   - search: the look of a birth at some cells, for a cell that can go.
//
// # Promises
//
//   - A message that [System.Send] accepted is processed exactly once: by a turn, or by
//     Behavior.Refuse. A message that Send did not accept is not processed.
//   - A key never has two actors, also while an actor leaves and the next starts.
//   - A turn that panics costs its own message and the answers that the state owed at that moment.
//     The state is set back to the state before the turn, the actor goes on, and the process lives.
//     An actor that panics more often than the budget allows refuses all messages for a while.
//   - A panic of the [clock.Clock] in a turn costs as much as a panic of the turn, but does not
//     count against the budget. On the goroutine of a caller the panic is the caller's, and leaves
//     no lock held. Elsewhere nothing is lost, and the clock is tried again after a second.
//   - Close ends every goroutine. Messages that are still queued are refused, never lost.
//
// # Retiring loses nothing
//
// The mailbox counts a put before the message enters the channel, so that the mailbox can be closed
// if and only if no message is inside or on the way. An actor leaves by closing its mailbox in that
// way, or else stays. A sender that finds a mailbox closed takes the lifecycle lock, under which
// cells are born, actors start and cells retire. There the sender finds the cell without an actor,
// a new actor, or the cell retired; in the last case the sender looks the key up again. Messages
// and turns never touch that lock.
package actors
