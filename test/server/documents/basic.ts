import DifferentialSyncClient from 'syncline/differential';

const client = new DifferentialSyncClient({
  clientId: 'admin-dashboard-123',
  websocketUrl: 'wss://api.viralfx.com/ws',
  entityTypes: ['users', 'orders', 'trends'],
  autoReconnect: true,
  qualityMonitoring: true,
  maxRetries: 5,
  retryDelay: 1000
});

// Connect and subscribe
await client.connect();
await client.subscribe();

// Update local state
client.updateLocalState(
  { status: 'active', lastSeen: Date.now() },
  'users'
);

// Request sync
const deltas = await client.requestSync('users');

export { client, deltas }
