// Properties that only the two scripts of a page know, and that have shorter names there. A name is in this list only if
// nobody else sees it: it is on no wire and no disk, in no message between tabs, in nothing that a page is given, and no
// name of the platform's that a script uses. Both scripts get the same names, because they work on the same objects.
const known =
  'again alias asked behind broken buffered bytes carrier chance cleared commits committed complain ' +
  'connector crew current desired discards disk doomed drafts durable early effects events exclusive flaps ' +
  'flying foldPages follows granted handles heal healing hooks identity isReady lane late loaded ' +
  'loading longPollTransport maxPayload moulted news notes notify onDisk onGone onHint opening others ' +
  'overlays owed pairs parts paused policy posting proven puts queue queueForm raised record refusals ' +
  'refused removes replica rivals role rowsLost running said saveIdentity saying shapes shelves shows sseTransport stage ' +
  'staged syncs temporary tidying touched transports tried unique unstored unwatch views waiting ' +
  'welcomedAt wires'

const names = known.split(' ')

/** For the bundler's `minify.mangleProps`. */
export const shortened = {
  include: new RegExp(`^(${names.join('|')})$`),
  cache: Object.fromEntries(names.map((name, i) => [name, `$${i.toString(36)}`])),
}
