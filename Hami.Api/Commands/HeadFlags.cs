using System.CommandLine;
using System.CommandLine.Parsing;
using Hami.Api.Plumbing;
using Hami.Api.Replaying;

namespace Hami.Api.Commands;

/// <summary>The flags that say where the log's head is exported to, so that nobody with the database alone can change what is written.</summary>
internal sealed class HeadFlags
{
    private readonly Option<string?> _file = new("--heads-file")
    {
        Description = "File that the log's signed head is appended to, a line of JSON each; keep it where the database's administrators cannot write. None when not given.",
    };
    private readonly Option<string?> _key = new("--head-key-file") { Description = "Ed25519 private key, PEM (PKCS#8), that heads are signed with; else that of --signing-key-file." };
    private readonly Option<TimeSpan> _every = Flag.Duration("--heads-interval", TimeSpan.FromSeconds(60), "How often the head is exported when it has moved.", mayBeZero: false);
    private Option? _otherKey;

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_file, _key, _every])
            command.Options.Add(option);
        _otherKey = command.Options.FirstOrDefault(o => o.Name == "--signing-key-file");
        command.Validators.Add(Validate);
    }

    public HeadExportOptions? Read(ParseResult parsed) => parsed.GetValue(_file) is { } file
        ? new(file, SigningKey.Read(parsed.GetValue(_key) ?? parsed.GetValue((Option<string?>)_otherKey!)!), parsed.GetValue(_every))
        : null;

    private void Validate(CommandResult result)
    {
        if (result.TextOf(_file) is null)
            return;
        if (result.TextOf(_key) is not { } key)
        {
            if (_otherKey is null || result.TextOf(_otherKey) is null)
                result.AddError("--heads-file needs a key to sign with: give --head-key-file or --signing-key-file, a file made by openssl genpkey -algorithm ed25519.");
        }
        else if (WhyNot.Of(() => SigningKey.Read(key)) is { } unusable)
            result.AddError($"--head-key-file {key}: {unusable}");
    }
}
