import type { DifferentialSyncClient } from 'syncline/differential'

declare const client: DifferentialSyncClient
declare const handleStateUpdate: (data: object) => void

// Add cleanup callbacks
client.addCleanupCallback(() => {
  console.log('Cleaning up resources...');
});

// Managed event listeners (auto-cleanup)
client.addManagedEventListener('state:updated', (data) => {
  handleStateUpdate(data);
});

// Proper disconnection
await client.disconnect(); // Cleans up all resources
