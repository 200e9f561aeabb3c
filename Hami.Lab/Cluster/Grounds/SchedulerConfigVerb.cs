using System.CommandLine;
using Hami.Lab.Scheduler;

namespace Hami.Lab.Cluster;

/// <summary><c>hami scheduler-config</c>: what a real kube-scheduler must be started with to ask our extender.</summary>
internal static class SchedulerConfigVerb
{
    public static Command Command()
    {
        var controlPlane = new ControlPlaneOptions();
        var kubeconfig = new Option<string?>("--kubeconfig") { Description = "The kubeconfig that kube-scheduler shall use, written into its configuration." };
        var names = new Option<string[]>("--scheduler-name")
        {
            Description = "A profile of the scheduler; repeat it for several. Leave default-scheduler out where another kube-scheduler serves it.",
            DefaultValueFactory = _ => ["hami-scheduler", "default-scheduler"],
        };
        var version = new Option<string>("--api-version")
        {
            Description = "The configuration's API version: v1 since Kubernetes 1.25, v1beta1 for 1.19 to 1.22.",
            DefaultValueFactory = _ => "v1",
        };
        version.AcceptOnlyFromAmong("v1", "v1beta1");
        var command = new Command("scheduler-config", "Print the KubeSchedulerConfiguration with which a cluster's own kube-scheduler asks HAMi.") { kubeconfig, names, version };
        controlPlane.AddTo(command);
        var verbs = new ExtenderVerbsOptions();
        verbs.AddTo(command);
        command.SetAction(parsed =>
        {
            var authority = LabAuthority.In(parsed.GetValue(controlPlane.Directory)!, TimeProvider.System);
            var (client, key) = authority.IssueToClient("kube-scheduler", TimeProvider.System);
            Console.Write(new SchedulerConfiguration
            {
                ExtenderUrl = new Uri($"https://{parsed.GetValue(controlPlane.Host)}:{parsed.GetValue(controlPlane.Port)}/"),
                CaPem = authority.Pem,
                ClientCertificatePem = client,
                ClientKeyPem = key,
                Kubeconfig = parsed.GetValue(kubeconfig) is { } file ? Path.GetFullPath(file) : null,
                SchedulerNames = parsed.GetValue(names)!,
                PrioritizeVerb = verbs.Read(parsed).Prioritize,
                PreemptVerb = verbs.Read(parsed).Preempt,
                ApiVersion = $"kubescheduler.config.k8s.io/{parsed.GetValue(version)}",
            }.ToYaml());
            return 0;
        });
        return command;
    }
}
