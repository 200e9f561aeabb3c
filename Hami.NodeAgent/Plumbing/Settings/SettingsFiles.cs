namespace Hami.NodeAgent.Plumbing.Settings;

/// <summary>The settings as the files, and what is given over them, make them; a file that became unusable counts as it last was.</summary>
internal sealed class SettingsFiles(AgentOptions options)
{
    private (string? Text, NodeSettings Settings) yaml = (null, new());
    private (string? Text, NodeEntry Entry) json = (null, NodeEntry.None);

    /// <summary>One sentence on each file that cannot be used as it is now.</summary>
    public IReadOnlyList<string> Faults { get; private set; } = [];

    /// <summary>Flags before this node's entry before what is said of all nodes before what HAMi ships.</summary>
    /// <exception cref="SettingsException">The device configuration cannot be used at the first reading: not even the resource's name is known then.</exception>
    public NodeSettings Read()
    {
        var faults = new List<string>();
        var first = yaml.Text is null;
        try
        {
            if (options.ConfigFile is { } path && Text(path, "device configuration", "--config-file") is var text && text != yaml.Text)
                yaml = (text, DeviceYaml.Parse(text, path));
        }
        catch (SettingsException e) when (!first)
        {
            faults.Add(e.Message);
        }
        try
        {
            if (options.NodeConfigFile is not { } path || (options.NodeConfigMayBeMissing && !File.Exists(path)))
                json = (null, NodeEntry.None);
            else if (Text(path, "node configuration", "--node-config-file") is var text && text != json.Text)
                json = (text, NodeJson.Parse(text, options.NodeName, path));
        }
        catch (SettingsException e)
        {
            faults.Add(e.Message);
        }
        Faults = faults;
        return options.Given.Over(json.Entry.Over(yaml.Settings));
    }

    private static string Text(string path, string what, string flag)
    {
        try
        {
            // Without a lock, which .NET else takes: whoever writes must not be kept from it.
            using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
            return reader.ReadToEnd();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SettingsException($"The {what} {path} cannot be read ({e.Message}); give {flag} a readable file.", e);
        }
    }
}
