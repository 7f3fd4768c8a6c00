// Properties that only the two scripts of a page know, and that have shorter names there. A name is in this list only if
// nobody else sees it: it is on no wire and no disk, in no message between tabs, in nothing that a page is given, and no
// name of the platform's that a script uses. Both scripts get the same names, because they work on the same objects.
const known =
  'again asked behind broken buffered bytes carrier chance cleared commits committed complain ' +
  'connector crew current discards disk doomed drafts durable early exclusive flaps flying foldPages ' +
  'follows granted heal healing hooks isReady late longPollTransport notify opening maxPayload moulted notes onDisk ' +
  'onGone others overlays owed pairs parts policy posting proven queue queueForm refusals refused ' +
  'removes replica rivals rowsLost saveIdentity shelves sseTransport staged stage temporary tidying ' +
  'touched transports unstored unwatch waiting welcomedAt wires ' +
  'identity record role puts news handles lane loaded'

const names = known.split(' ')

/** For the bundler's `minify.mangleProps`. */
export const shortened = {
  include: new RegExp(`^(${names.join('|')})$`),
  cache: Object.fromEntries(names.map((name, i) => [name, `$${i.toString(36)}`])),
}
