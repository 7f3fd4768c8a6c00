import { DifferentialSyncClient } from 'syncline/differential'

// New
const client = new DifferentialSyncClient({
  clientId: 'test',
  websocketUrl: 'ws://localhost:3000',
  entityTypes: ['users', 'orders'],
  autoReconnect: true,
  qualityMonitoring: true
});

await client.connect();
await client.subscribe();

export { client }
