import { DifferentialSyncClient } from 'syncline/differential'

// Old
const client = new DifferentialSyncClient({
  clientId: 'test',
  websocketUrl: 'ws://localhost:3000',
  entityType: 'users'
});

export { client }
