using System.Diagnostics;
using Hami.Lab.Cluster;
using Hami.Tests.Lab;
using k8s;
using k8s.Models;
using static Hami.Tests.Lab.KubeletScene;

namespace Hami.Tests.Allocating;

/// <summary>The agent as a process of its own beside the lab's kubelet, and containers that compute on the pretended driver with the real library.</summary>
public sealed class KeepingLimitsThroughKills
{
    private const string Card = "GPU-00004090-0001-4000-8000-000000000000";

    private const string OutOfMemory = "CUDA_ERROR_OUT_OF_MEMORY", Success = "CUDA_SUCCESS";

    [Fact]
    [Trait("Scoreboard", "D06")]
    public async Task A_container_is_held_by_its_file_whatever_its_environment_says()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "The library believes root's files alone.");
        await using var scene = await Start();
        await using var node = new Node(scene);
        await node.StartAgent(node.Library("one"));

        // The last would leave the limits to the environment, if there were no file.
        await node.Bind("p", 1000, "Never", "lab-cuda alloc 900; lab-cuda alloc 1001; unset CUDA_DEVICE_MEMORY_LIMIT_0; lab-cuda alloc 1001",
            new() { Name = "CUDA_DEVICE_MEMORY_LIMIT_0", Value = "40g" }, new() { Name = "CUDA_DEVICE_MEMORY_SHARED_CACHE", Value = "/tmp/mine" });

        await scene.Until("p", p => p.Status.Phase is "Succeeded" or "Failed");
        Assert.Equal([Success, OutOfMemory, OutOfMemory], Lines(await scene.Logs("p", "c0")));
    }

    [Fact]
    [Trait("Scoreboard", "D14")]
    public async Task Kill_9_of_the_agent_and_a_rollout_of_agent_and_library_disturb_no_process_that_runs()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "The library believes root's files alone.");
        await using var scene = await Start();
        await using var node = new Node(scene);
        await node.StartAgent(node.Library("one"));
        var again = Path.Combine(node.Folder, "again");
        var old = await node.Bind("old", 1000, "Always", $"lab-cuda alloc 600 --hold & sleep 0.3; while :; do lab-cuda alloc 500; sleep 0.1; if [ -e {again} ]; then rm {again}; exit 1; fi; done");
        await Refused("old", 3);
        var before = node.Files(old);

        node.Kill();
        await Refused("old", 10);
        Assert.Equal(before, node.Files(old));

        await node.StartAgent(node.Library("two"));
        var other = await node.Bind("new", 2000, "Always", "while :; do lab-cuda alloc 2001; lab-cuda alloc 1900; sleep 0.1; done");
        await Refused("new", 2);
        Assert.Equal(before, node.Files(old));
        Assert.EndsWith("one", await File.ReadAllTextAsync(node.LibraryOf(old)), StringComparison.Ordinal);
        Assert.EndsWith("two", await File.ReadAllTextAsync(node.LibraryOf(other)), StringComparison.Ordinal);

        // Its container starts again, with the kubelet's old answer, checked by the new agent.
        await File.WriteAllTextAsync(again, "");
        await scene.Until("old", p => p.Status.ContainerStatuses is [{ RestartCount: 1, State.Running: not null }]);
        await Refused("old", 3);
        Assert.Equal(before, node.Files(old));

        // Killed once more while pods go: the next one cleans up.
        node.Kill();
        await scene.Kubernetes.CoreV1.DeleteNamespacedPodAsync("old", "default");
        await scene.UntilGone("old");
        await node.StartAgent(node.Library("two"));
        await scene.Kubernetes.CoreV1.DeleteNamespacedPodAsync("new", "default");
        await Eventually(() => Task.FromResult(!Directory.Exists(Path.GetDirectoryName(node.LibraryOf(other)))));

        async Task<string[]> Said(string pod)
        {
            try
            {
                return Lines(await scene.Logs(pod, "c0"));
            }
            catch (HttpRequestException)
            {
                return []; // It has not started yet.
            }
        }

        // So many refusals, and only the one that holds was ever given anything.
        Task Refused(string pod, int times) => Eventually(async () =>
        {
            var lines = await Said(pod);
            Assert.True(pod == "new" || lines.Count(l => l == Success) <= 1, string.Join('\n', lines));
            return lines.Count(l => l == OutOfMemory) >= times && (pod == "old" || lines.Contains(Success));
        });
    }

    private static Task<KubeletScene> Start() => KubeletScene.Start(withPlugin: false, with: options => options with
    {
        DriverDirectory = Path.Combine(BuiltPrograms.Interceptor, "driver"),
        ProgramsDirectory = Path.Combine(BuiltPrograms.Interceptor, "bin"),
        DriverDevicesFile = Path.Combine(Path.GetDirectoryName(options.Directory)!, "driver.txt"),
    });

    private static string[] Lines(string log) => log.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private sealed class Node : IAsyncDisposable
    {
        private readonly KubeletScene scene;
        private Process? agent;

        public Node(KubeletScene scene)
        {
            this.scene = scene;
            Kubelet = Path.GetDirectoryName(scene.Kubelet.PluginsDirectory.TrimEnd('/'))!;
            Folder = Path.GetDirectoryName(Kubelet)!;
            File.WriteAllText(Path.Combine(Folder, "driver.txt"), $"{Card};NVIDIA A100;40960;108\n");
            File.WriteAllText(Path.Combine(Folder, "cards.yaml"), $"devices: [{{ uuid: {Card}, model: NVIDIA A100, memoryMiB: 40960 }}]\n");
            File.WriteAllText(Path.Combine(Folder, "kubeconfig"), $$"""
                apiVersion: v1
                kind: Config
                clusters: [{ name: lab, cluster: { server: "{{scene.Kubernetes.BaseUri}}" } }]
                users: [{ name: lab, user: { token: lab } }]
                contexts: [{ name: lab, context: { cluster: lab, user: lab } }]
                current-context: lab
                """);
        }

        public string Folder { get; }

        private string Kubelet { get; }

        private string Vgpu => Path.Combine(Folder, "h", "vgpu");

        /// <summary>The interceptor as it was built, with a word behind it that makes it another file.</summary>
        public string Library(string version)
        {
            var path = Path.Combine(Folder, $"libvgpu-{version}.so");
            File.Copy(Path.Combine(BuiltPrograms.Interceptor, "libvgpu.so"), path, overwrite: true);
            File.AppendAllText(path, version);
            return path;
        }

        public async Task StartAgent(string library)
        {
            agent = Process.Start(new ProcessStartInfo(BuiltPrograms.NodeAgent[0],
            [
                .. BuiltPrograms.NodeAgent.Skip(1), "serve", "--node-name", KubeletScene.Node, "--simulate", Path.Combine(Folder, "cards.yaml"),
                "--kubeconfig", Path.Combine(Folder, "kubeconfig"), "--kubelet-dir", Kubelet, "--hook-path", Path.Combine(Folder, "h"), "--interceptor", library, "--accept-unsigned",
            ])
            {
                UseShellExecute = false,
            })!;
            await Eventually(async () => await scene.Healthy() == "10", () => $"The agent {(agent.HasExited ? "ended" : "runs")}, but the kubelet knows no devices.");
        }

        /// <summary>SIGKILL; the kubelet sees it go.</summary>
        public void Kill()
        {
            agent!.Kill();
            agent.WaitForExit();
            agent.Dispose();
            agent = null;
        }

        public async Task<string> Bind(string name, int memoryMiB, string restart, string line, params V1EnvVar[] variables)
        {
            var container = Container("c0", 1, "sh", "-c", line);
            container.Env = variables;
            var pod = await scene.Kubernetes.CoreV1.CreateNamespacedPodAsync(new()
            {
                Metadata = new() { Name = name },
                Spec = new() { RestartPolicy = restart, Containers = [container], TerminationGracePeriodSeconds = 1 },
            }, "default");
            await scene.Kubernetes.CoreV1.CreateNamespacedPodBindingAsync(new V1Binding
            {
                Metadata = new() { Name = name, Annotations = NodePods.Pod(name, $"{Card},NVIDIA,{memoryMiB},50:;", [1]).Metadata.Annotations },
                Target = new() { Kind = "Node", Name = KubeletScene.Node },
            }, name, "default");
            return pod.Uid();
        }

        public string LibraryOf(string uid) => Path.Combine(Vgpu, "containers", $"{uid}_c0", "libvgpu.so");

        public string Files(string uid) => string.Join('\n', Directory.GetFiles(Path.GetDirectoryName(LibraryOf(uid))!).Order(StringComparer.Ordinal).Select(Inodes.Of));

        public ValueTask DisposeAsync()
        {
            if (agent is not null)
                Kill();
            return ValueTask.CompletedTask;
        }
    }
}
