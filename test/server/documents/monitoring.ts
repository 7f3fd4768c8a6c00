import type { DifferentialSyncClient } from 'syncline/differential'

declare const client: DifferentialSyncClient

// Get comprehensive sync status
const status = client.getSyncStatus();
console.log('Sync Status:', {
  connected: status.isConnected,
  latency: status.averageLatency,
  successRate: status.sub100msSuccessRate,
  quality: status.qualityScore
});

// Get health status with recommendations
const health = client.getHealthStatus();
console.log('Health:', health.status);
health.recommendations.forEach(rec => console.warn(rec));

// Listen to performance events
client.on('sync:performance', ({ duration, sub100msRate }) => {
  console.log(`Sync completed in ${duration}ms, ${sub100msRate}% under 100ms`);
});
