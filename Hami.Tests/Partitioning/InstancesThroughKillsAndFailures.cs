using System.Collections.Immutable;
using CsCheck;
using Hami.Domain.Ledger;
using Hami.NodeAgent.Partitioning;
using Hami.NodeAgent.Plumbing.Nvml;
using Microsoft.Extensions.Logging.Abstractions;
using static Hami.Tests.Partitioning.MigGiven;

namespace Hami.Tests.Partitioning;

/// <summary>Laws over any order of pods, failures of NVML and of the disk, kills at any step and restarts.</summary>
public sealed class InstancesThroughKillsAndFailures
{
    private static readonly (string Profile, int Size, int[] Starts)[] Profiles =
    [
        ("1g.5gb", 1, [6, 5, 4, 3, 2, 1, 0]), ("2g.10gb", 2, [0, 2, 4]), ("3g.20gb", 4, [4, 0]), ("7g.40gb", 8, [0]),
    ];

    private static readonly Gen<Step> AnyStep = Gen.Frequency(
        (8, Gen.Select(Gen.Int[0, 3], Gen.Int[0, 3], Gen.Int[0, 5]).Select((profile, second, kind) => new Step($"Bind {profile} {second} {kind}", s => s.Bind(profile, second, kind)))),
        (3, Gen.Int[0, 99].Select(n => new Step($"End {n}", s => s.End(n)))),
        (3, Gen.Int[0, 99].Select(n => new Step($"Delete {n}", s => s.Delete(n)))),
        (2, Gen.Int[0, 99].Select(n => new Step($"EndInits {n}", s => s.EndInits(n)))),
        (3, Gen.Int[0, 99].Select(n => new Step($"Use {n}", s => s.Use(n)))),
        (2, Gen.Int[0, 99].Select(n => new Step($"Reask {n}", s => s.Reask(n)))),
        (6, Gen.Const(new Step("Settle", s => s.Settle()))),
        (2, Gen.Const(new Step("Restart", s => s.Restart()))),
        (4, Gen.Int[1, 12].Select(n => new Step($"FailAfter {n}", s => s.FailAfter(n)))),
        (4, Gen.Int[1, 24].Select(n => new Step($"KillAfter {n}", s => s.KillAfter(n)))));

    private static readonly Gen<(int[] Foreign, Step[] Steps)> AnyStory = Gen.Select(Gen.Int[0, 20].Array[0, 2], AnyStep.Array[1, 40]);

    [Fact]
    [Trait("Scoreboard", "E01")]
    [Trait("Scoreboard", "E06")]
    [Trait("Scoreboard", "E07")]
    public void Nothing_leaks_nothing_overlaps_no_live_pod_loses_its_instance_and_what_others_made_stays() => Run(1500);

    [Fact]
    [Trait("Category", "Long")]
    public void The_same_a_hundred_times_as_often() => Run(150_000);

    private static void Run(int stories) => AnyStory.Sample(
        story =>
        {
            var scene = new Scene(story.Foreign);
            foreach (var step in story.Steps)
            {
                step.Do(scene);
                scene.AssertSafe();
            }
            scene.CalmDown();
            scene.AssertSafe();
            scene.AssertClean();
        },
        iter: stories,
        print: story => $"foreign {string.Join(' ', story.Foreign)}: {string.Join(", ", story.Steps.Select(s => s.Name))}");

    private sealed record Step(string Name, Action<Scene> Do);

    /// <summary>Two cards, their scheduler, a kubelet, and agents that come and go.</summary>
    private sealed class Scene
    {
        private readonly FakeMigCards cards = new("GPU-a", "GPU-b");
        private readonly FakeMigBook book = new();
        private readonly ImmutableArray<GpuInstance> foreign;
        private readonly Dictionary<string, MigPod> pods = [];
        private readonly HashSet<string> gone = [];
        // What the kubelet was answered: pod, container, UUID.
        private readonly List<(string Pod, string Container, string Uuid)> answered = [];
        private readonly HashSet<string> inUse = [];
        private Partitioner agent;
        private int born;

        public Scene(int[] foreign)
        {
            foreach (var choice in foreign)
            {
                var (profile, size, starts) = Profiles[choice % Profiles.Length];
                var seat = new MigSeat(choice % 2 == 0 ? "GPU-a" : "GPU-b", profile, new(starts[choice % starts.Length], size));
                if (!cards.All.Any(i => i.Seat.Overlaps(seat)))
                    cards.Foreign(seat);
            }
            this.foreign = [.. cards.All];
            agent = New();
        }

        /// <summary>The scheduler places a pod and the kubelet asks for its containers' devices.</summary>
        public void Bind(int profile, int second, int kind)
        {
            var seats = new List<string>();
            var held = pods.Values.Where(p => !p.Over).SelectMany(Held).ToList();
            void Reserve(string container, int p, bool beside)
            {
                foreach (var card in new[] { "GPU-a", "GPU-b" })
                    foreach (var start in Profiles[p].Starts)
                    {
                        var seat = new MigSeat(card, Profiles[p].Profile, new(start, Profiles[p].Size));
                        if (held.Exists(h => h.Overlaps(seat)))
                            continue;
                        seats.Add($"{container}: {card} {seat.Profile} {start}+{seat.Place.Size}");
                        if (beside)
                            held.Add(seat);
                        return;
                    }
            }
            // An init container's slices may be those of the containers after it.
            if (kind == 0)
                Reserve("i", second, beside: false);
            Reserve("c", profile, beside: true);
            if (kind == 1)
                Reserve("c", second, beside: true);
            if (kind == 2)
                Reserve("d", second, beside: true);
            if (seats.Count == 0)
                return;
            var pod = Pod($"p{++born}", [.. seats]);
            pods.Add(pod.Uid, pod);
            Ask(pod);
        }

        /// <summary>The kubelet asks again, as after its own restart.</summary>
        public void Reask(int n)
        {
            if (Pick(n, p => !p.Over && answered.Exists(a => a.Pod == p.Uid) && !p.InitsEnded) is { } pod)
                Ask(pod);
        }

        public void End(int n)
        {
            if (Pick(n, p => !p.Over) is { } pod)
                pods[pod.Uid] = pod with { Over = true };
        }

        /// <summary>Gone from the API server; a process of it may be left for a while.</summary>
        public void Delete(int n)
        {
            if (Pick(n, _ => true) is not { } pod)
                return;
            pods.Remove(pod.Uid);
            gone.Add(pod.Uid);
        }

        public void EndInits(int n)
        {
            if (Pick(n, p => !p.Over && p.Reservations.Any(r => r.EndsBeforeApps)) is { } pod)
                pods[pod.Uid] = pod with { InitsEnded = true };
        }

        /// <summary>A process comes to an instance or leaves it.</summary>
        public void Use(int n)
        {
            var ours = answered.Select(a => a.Uuid).Where(u => cards.All.Any(i => i.Parts.Any(p => p.Uuid == u))).Distinct().ToList();
            if (ours.Count == 0)
                return;
            var uuid = ours[n % ours.Count];
            if (!inUse.Remove(uuid))
                inUse.Add(uuid);
            cards.Use(uuid, inUse.Contains(uuid));
        }

        public void Settle() => Try(() =>
        {
            foreach (var card in new[] { "GPU-a", "GPU-b" })
                agent.Settle(card, [.. pods.Values], gone);
            foreach (var pod in pods.Values.ToList())
                pods[pod.Uid] = pod.Told(book.Made);
        });

        public void Restart() => agent = New();

        public void FailAfter(int calls) => Arm(calls, (name, after) => after ? null
            : name == "Write" ? new IOException("disk full") : new NvmlException(name, calls % 2 == 0 ? NvmlResult.Unknown : NvmlResult.InUse, "told to fail"));

        public void KillAfter(int calls) => Arm(calls, (_, _) => new Killed());

        public void CalmDown()
        {
            cards.On = null;
            book.On = null;
            foreach (var uuid in inUse)
                cards.Use(uuid, false);
            inUse.Clear();
            Restart();
            Settle();
            Settle();
        }

        public void AssertSafe()
        {
            foreach (var (one, other) in cards.All.SelectMany((a, i) => cards.All.Skip(i + 1).Select(b => (a, b))))
                Assert.False(one.Seat.Overlaps(other.Seat));
            Assert.All(foreign, f => Assert.Contains(f, cards.All));
            foreach (var (pod, container, uuid) in answered.Where(a => pods.TryGetValue(a.Pod, out var p) && !p.Over))
            {
                var holder = pods[pod];
                if (!holder.InitsEnded || holder.Reservations.Any(r => r.Container == container && !r.EndsBeforeApps))
                    Assert.Contains(cards.All, i => i.Parts.Any(p => p.Uuid == uuid));
            }
            Assert.All(inUse, uuid => Assert.Contains(cards.All, i => i.Parts.Any(p => p.Uuid == uuid)));
        }

        public void AssertClean()
        {
            var needed = answered.Where(a => pods.TryGetValue(a.Pod, out var p) && !p.Over
                    && (!p.InitsEnded || p.Reservations.Any(r => p.SeatOf(r) is var seat && !p.OnlyForInits(seat) && book.Made.Any(m => m.PodUid == p.Uid && m.Uuid == a.Uuid && m.Seat.Is(seat)))))
                .Select(a => a.Uuid).Distinct().Order();
            var there = cards.All.Except(foreign).Select(i => Assert.Single(i.Parts).Uuid!).Order();
            Assert.Equal(needed, there);
            Assert.Equal(there, book.Made.Select(m => m.Uuid!).Order());
            // All of it stands on the pods.
            foreach (var pod in pods.Values.Where(p => book.Made.Any(m => m.PodUid == p.Uid)))
                Assert.Equal(MigRecords.Told(pod, book.Made), MigRecords.Told(pod, []) ?? Hami.Domain.Protocol.MigAllocations.Encode(pod.Reservations.Select(r => r.Record)));
        }

        private void Ask(MigPod pod)
        {
            foreach (var container in pod.Reservations.Select(r => r.Container).Distinct())
            {
                var before = answered.Where(a => a.Pod == pod.Uid && a.Container == container).Select(a => a.Uuid).ToList();
                IReadOnlyList<MadeInstance>? made = null;
                var alive = Try(() => made = agent.Make(pod, container));
                if (made is null)
                {
                    // Refused, or the agent died in the call: the kubelet rejects the pod, unless it died as well and asks again.
                    if (!alive && born % 2 == 0 && before.Count == 0)
                        Try(() => made = agent.Make(pod, container));
                    if (made is null)
                    {
                        if (before.Count == 0)
                            pods[pod.Uid] = pod with { Over = true };
                        return;
                    }
                }
                if (before.Count > 0)
                    Assert.Equal(before, made.Select(m => m.Uuid!));
                else
                    answered.AddRange(made.Select(m => (pod.Uid, container, m.Uuid!)));
            }
        }

        // False when the agent was killed; another one has started then.
        private bool Try(Action work)
        {
            try
            {
                work();
                return true;
            }
            catch (MigRefusal)
            {
                return true;
            }
            catch (Killed)
            {
                Arm(0, (_, _) => null);
                Restart();
                return false;
            }
        }

        private void Arm(int calls, Func<string, bool, Exception?> with)
        {
            Action<string, bool> act = (name, after) =>
            {
                if (calls > 0 && with(name, after) is { } fault && --calls == 0)
                    throw fault;
            };
            cards.On = act;
            book.On = act;
        }

        private MigPod? Pick(int n, Func<MigPod, bool> wanted)
        {
            var some = pods.Values.Where(wanted).ToList();
            return some.Count == 0 ? null : some[n % some.Count];
        }

        // What the scheduler counts as held.
        private static IEnumerable<MigSeat> Held(MigPod pod) =>
            pod.Reservations.Where(r => !(r.EndsBeforeApps && pod.InitsEnded)).Select(r => r.Seat);

        private Partitioner New() => new(cards, book, NullLogger<Partitioner>.Instance);
    }
}
