import type { DifferentialSyncClient } from 'syncline/differential'

declare const client: DifferentialSyncClient

// Create debounced updater for better performance
const debouncedUpdate = client.createDebouncedUpdate(200);

// Multiple rapid updates will be batched
debouncedUpdate({ name: 'John' }, 'users');
debouncedUpdate({ email: 'john@example.com' }, 'users');
// Only one sync will be sent after 200ms

// Or use batch update method
client.updateLocalStateBatch([
  { entityType: 'users', state: { name: 'John' } },
  { entityType: 'orders', state: { status: 'pending' } },
  { entityType: 'settings', state: { theme: 'dark' } }
]);
