import type { DifferentialSyncClient } from 'syncline/differential'

declare const client: DifferentialSyncClient

client.on('error', (error) => {
  if (error.code === 'CONNECTION_TIMEOUT') {
    console.warn('Connection timeout, will retry...');
  } else if (error.code === 'SYNC_OPERATION_ERROR') {
    console.error('Sync operation failed:', error.details);
  }
});

client.on('reconnect:scheduled', ({ attempt, delay }) => {
  console.log(`Reconnection attempt ${attempt} in ${delay}ms`);
});

client.on('reconnect:failed', () => {
  console.error('Max reconnection attempts reached');
  // Show user notification
});
