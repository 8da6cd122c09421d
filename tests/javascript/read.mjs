// Reading a task that somebody else's program asked for, as its requester.
export default async ({ as, key, dealid, refused }) => {
  const requester = as(key('requester'));
  const stranger = as(key('developer'));
  const deal = await requester.deal.show(dealid);
  const [id] = deal.tasks;
  const response = await requester.task.fetchResults(id);
  return {
    deal,
    computed: await requester.deal.computeTaskId(dealid, 0),
    task: await requester.task.show(id),
    zip: Buffer.from(await response.arrayBuffer()).toString('base64'),
    logs: await requester.task.fetchLogs(id),
    info: await requester.task.fetchOffchainInfo(id),
    refused: await refused(stranger.task.fetchLogs(id)),
  };
};
