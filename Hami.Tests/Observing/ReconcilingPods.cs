using Hami.Api;
using Hami.Api.Binding;
using Hami.Api.Observing;
using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Hami.Api.Registering;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using Hami.Tests.Given;
using k8s;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Hami.Tests.Observing;

/// <summary>The ledger and the pods are brought together, one pod not waiting for another.</summary>
public sealed class ReconcilingPods
{
    [Fact]
    public async Task Pods_that_the_API_server_does_not_tell_of_delay_no_other()
    {
        await using var journal = await TestJournal.StartAsync(await TestPostgres.CreateDatabaseAsync());
        await journal.Journal.DecideAsync<NodeEvent>(Streams.Node("n1"), _ => new NodeEvent.DevicesRegistered("n1", [Asks.Card("GPU-1")]));
        await journal.Journal.DecideAsync(Streams.Node("n1"), ledger => PlaceAllocationDecider.Decide(Asks.Place(Asks.Pod("done"), "n1"), ledger));
        // More than there are workers: refused once, seen by nobody since.
        for (var i = 0; i < 40; i++)
        {
            var refused = new PodEvent.PlacementRefused($"away-{i}", "default", $"away-{i}", "No node.", [], 0);
            await journal.Journal.DecideAsync<PodEvent>(Streams.Pod(refused.PodUid), _ => refused);
        }
        // Nobody's next turn ever comes.
        var time = new FakeTimeProvider();
        using var nowhere = new Kubernetes(new KubernetesClientConfiguration { Host = "http://127.0.0.1:1" });
        var pods = new SeenPods();
        var due = new DuePods(pods);
        using var settling = Settling(journal.Journal, nowhere, time);
        using var reconciler = Reconciler(journal.Journal, nowhere, pods, due, settling, time);
        await reconciler.StartAsync(CancellationToken.None);

        for (var i = 0; i < 40; i++)
            reconciler.Gone($"away-{i}");
        reconciler.Seen(new("done", "default", "done", "n1", "Succeeded", false, "", "", InitsEnded: false, 0, time.GetUtcNow(), Foreign: null));

        await ControlPlaneScene.UntilAsync(() => Task.FromResult(journal.Journal.Ledger.LiveByPod.IsEmpty), () => "the pod that has ended still holds its card");
        Assert.Equal(40, journal.Journal.Ledger.Waiting.Count);
        await reconciler.StopAsync(CancellationToken.None);
    }

    private static PodReconciler Reconciler(Journal journal, IKubernetes kubernetes, SeenPods pods, DuePods due, Settling settling, TimeProvider time) => new(
        journal, pods, due, new(time), new(), Binder(kubernetes, time), settling,
        new(journal, new(journal, new()), due, new(null, Adopt: false), new(null, NullLogger<ResultSigner>.Instance), Binder(kubernetes, time), NvidiaConfig.Hami, time, NullLogger<Adoption>.Instance), NvidiaConfig.Hami, time, NullLogger<PodReconciler>.Instance);

    private static Settling Settling(Journal journal, IKubernetes kubernetes, TimeProvider time) => new(
        journal, Binder(kubernetes, time),
        new(kubernetes, new(TimeSpan.FromMinutes(5), TimeSpan.Zero), new(), time, NullLogger<NodeLocks>.Instance), new SeenNodes(), new(), time, NullLogger<Settling>.Instance);

    private static PodBinder Binder(IKubernetes kubernetes, TimeProvider time) => new(kubernetes, new(null, NullLogger<ResultSigner>.Instance), time);
}
